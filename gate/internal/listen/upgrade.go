package listen

import (
	"bufio"
	"errors"
	"net"
	"net/http"

	"github.com/gobwas/ws"
)

const (
	path = "/mqtt"
	// subprotocol is what MQTT clients ask for [MQTT-6.0.0-3].
	subprotocol = "mqtt"
	// handshakeBytes bounds the client's part of the handshake.
	handshakeBytes = 16 << 10
	// readAhead is how many bytes of a WebSocket are buffered while it is idle.
	readAhead = 512
)

// lines gives out a line at a time, so that the library reads no further than the end of the handshake: what comes
// after it stays in the buffer.
type lines struct {
	net.Conn
	buffer *bufio.Reader
	left   int
}

var errLongHandshake = errors.New("the handshake is longer than allowed")

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	for n := range p {
		b, err := l.buffer.ReadByte()
		if err != nil {
			return n, err
		}
		p[n] = b
		if l.left--; l.left < 0 {
			return n, errLongHandshake
		}
		if b == '\n' {
			return n + 1, nil
		}
	}
	return len(p), nil
}

// upgrade answers the handshake of a client. The header Origin is not looked at: a page may connect from anywhere, as
// the data are public and browsers hold no credentials for this server that they would send by themselves.
func upgrade(conn net.Conn) (*webSocket, error) {
	buffer := bufio.NewReaderSize(conn, readAhead)
	offered := false
	upgrader := ws.Upgrader{
		ReadBufferSize: 4096, WriteBufferSize: 512,
		OnRequest: func(uri []byte) error {
			if string(uri) != path {
				return rejected(http.StatusNotFound, "MQTT is at "+path)
			}
			return nil
		},
		Protocol: func(name []byte) bool {
			offered = offered || string(name) == subprotocol
			return string(name) == subprotocol
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if !offered {
				return nil, rejected(http.StatusBadRequest, "the subprotocol is "+subprotocol)
			}
			return nil, nil
		},
	}
	if _, err := upgrader.Upgrade(&lines{Conn: conn, buffer: buffer, left: handshakeBytes}); err != nil {
		return nil, err
	}
	return &webSocket{Conn: conn, buffer: buffer}, nil
}

func rejected(status int, reason string) error {
	return ws.RejectConnectionError(ws.RejectionStatus(status), ws.RejectionReason(reason))
}
