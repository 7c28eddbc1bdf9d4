package server_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// dialWebSocket makes a client whose packets travel in frames.
func (s *setup) dialWebSocket() (*client, net.Conn) {
	s.t.Helper()
	dialer := ws.Dialer{Protocols: []string{"mqtt"}}
	conn, _, handshake, err := dialer.Dial(context.Background(), "ws://"+s.server.WebSocket.Addr().String()+"/mqtt")
	if err != nil {
		s.t.Fatal(err)
	}
	if handshake.Protocol != "mqtt" {
		s.t.Errorf("subprotocol %q", handshake.Protocol)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return &client{t: s.t, conn: &framing{Conn: conn}}, conn
}

// framing is a client's side of a WebSocket with a frame for each write.
type framing struct {
	net.Conn
	rest []byte
}

func (f *framing) Write(p []byte) (int, error) {
	return len(p), wsutil.WriteClientBinary(f.Conn, p)
}

func (f *framing) Read(p []byte) (int, error) {
	for len(f.rest) == 0 {
		data, code, err := wsutil.ReadServerData(f.Conn)
		if err != nil || code != ws.OpBinary {
			return 0, err
		}
		f.rest = data
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

func TestWebSocket(t *testing.T) {
	s := start(t)
	c, _ := s.dialWebSocket()
	c.send(connect(4))
	c.expect(accepted4)
	s.metric(`mqtt_gate_connections{transport="websocket",version="3.1.1"} 1`)
	c.send(subscribe(4, 1, topic))
	c.expect("90 03 0001 01")
	long := strings.Repeat("x", 70_000)
	broker := s.broker.last()
	for _, payload := range []string{"{}", strings.Repeat("x", 200), long} {
		message := publishing(4, 0, 0, "a", payload)
		go broker.push(message)
		if got := c.next(); string(got) != string(message) {
			t.Fatalf("%d bytes came, want %d", len(got), len(message))
		}
	}
	c.send(connect(4))
	c.expect("closed")
}

func TestPacketsNeedNotKeepToFrames(t *testing.T) {
	s := start(t)
	c, conn := s.dialWebSocket()
	all := join(connect(4), ping, subscribe(4, 1, topic))
	for _, b := range all[:7] {
		c.send([]byte{b})
	}
	fragment := func(code ws.OpCode, fin bool, payload []byte) {
		_ = ws.WriteFrame(conn, ws.MaskFrameInPlace(ws.NewFrame(code, fin, append([]byte(nil), payload...))))
	}
	fragment(ws.OpBinary, false, all[7:9])
	fragment(ws.OpPing, true, []byte("hello"))
	fragment(ws.OpContinuation, false, nil)
	fragment(ws.OpContinuation, true, all[9:])
	if frame, err := ws.ReadFrame(conn); err != nil || frame.Header.OpCode != ws.OpPong || string(frame.Payload) != "hello" {
		t.Errorf("answer to a ping: %+v, %v", frame, err)
	}
	c.expect(accepted4, "d0 00", "90 03 0001 01")
}

func TestFramesThatAreNotAllowed(t *testing.T) {
	s := start(t)
	masked := func(frame ws.Frame) ws.Frame { return ws.MaskFrameInPlace(frame) }
	reserved := masked(ws.NewBinaryFrame(ping))
	reserved.Header.Rsv = 4
	for name, frame := range map[string]ws.Frame{
		"not masked": ws.NewBinaryFrame(ping), "text": masked(ws.NewTextFrame([]byte("{}"))), "reserved bit": reserved,
		"continuation of nothing": masked(ws.NewFrame(ws.OpContinuation, true, append([]byte(nil), ping...))),
		"unknown code":            masked(ws.NewFrame(0x0B, true, nil)), "ping in parts": masked(ws.NewFrame(ws.OpPing, false, nil)),
	} {
		c, conn := s.dialWebSocket()
		c.send(connect(4))
		c.expect(accepted4)
		if err := ws.WriteFrame(conn, frame); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if got := string(readAll(conn)); got != "\x88\x02\x03\xea" { // a close frame with code 1002
			t.Errorf("%s: %x", name, got)
		}
	}
	c, conn := s.dialWebSocket()
	c.send(connect(4))
	c.expect(accepted4)
	_ = ws.WriteFrame(conn, masked(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "bye"))))
	if got := string(readAll(conn)); got != "\x88\x02\x03\xe8" {
		t.Errorf("answer to a close frame: %x", got)
	}
}

func TestHandshakesThatAreRefused(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		request string
		want    int
	}{
		"other path":       {"GET /other HTTP/1.1\r\n%sSec-WebSocket-Protocol: mqtt\r\n\r\n", 404},
		"POST":             {"POST /mqtt HTTP/1.1\r\n%sSec-WebSocket-Protocol: mqtt\r\n\r\n", 405},
		"other protocol":   {"GET /mqtt HTTP/1.1\r\n%sSec-WebSocket-Protocol: chat\r\n\r\n", 400},
		"no protocol":      {"GET /mqtt HTTP/1.1\r\n%s\r\n", 400},
		"no upgrade":       {"GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"an endless field": {"GET /mqtt HTTP/1.1\r\n%sX: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 0},
	} {
		conn, err := net.Dial("tcp", s.server.WebSocket.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fields := "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		request := c.request
		if strings.Contains(request, "%s") {
			request = fmt.Sprintf(request, fields)
		}
		_, _ = conn.Write([]byte(request))
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		switch {
		case c.want == 0 && err == nil, c.want != 0 && (err != nil || answer.StatusCode != c.want):
			t.Errorf("%s: %v, %v", name, answer, err)
		}
		_ = conn.Close()
	}
}

func TestWhatFollowsAHandshakeAtOnceIsNotLost(t *testing.T) {
	s := start(t)
	conn, err := net.Dial("tcp", s.server.WebSocket.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(connect(4))))
	handshake := "GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
	_, _ = conn.Write(append([]byte(handshake), frame...))
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	reader := bufio.NewReader(conn)
	if _, err := http.ReadResponse(reader, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := ws.ReadFrame(reader); err != nil || string(got.Payload) != string(hexed(accepted4)) {
		t.Errorf("frame %+v, %v", got, err)
	}
}
