package server_test

import (
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// client is a client at the level of bytes, so that it can say what no library would.
type client struct {
	t    *testing.T
	conn net.Conn
}

func (s *setup) dial() *client {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.server.MQTT.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	return &client{t: s.t, conn: conn}
}

func (c *client) send(packets ...[]byte) {
	c.t.Helper()
	var all []byte
	for _, packet := range packets {
		all = append(all, packet...)
	}
	// A gate that has closed already is seen when reading.
	_, _ = c.conn.Write(all)
}

// next reads one packet, or returns nil if the connection was closed.
func (c *client) next() []byte {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	packet, err := readPacket(c.conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatal("no packet came")
	}
	return packet
}

// expect reads packets and compares them with what is written in hexadecimal, spaces apart; "closed" stands for the end.
func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, each := range want {
		packet := c.next()
		got := hex.EncodeToString(packet)
		if packet == nil {
			got = "closed"
		}
		if each = strings.ReplaceAll(each, " ", ""); got != each {
			c.t.Fatalf("got %s, want %s", got, each)
		}
	}
}

// silence insists that nothing comes for a while.
func (c *client) silence() {
	c.t.Helper()
	_ = c.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if packet, err := readPacket(c.conn); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("got %x, %v, want silence", packet, err)
	}
}

func readPacket(r io.Reader) ([]byte, error) {
	packet := make([]byte, 1, 64)
	if _, err := io.ReadFull(r, packet); err != nil {
		return nil, err
	}
	length, shift := 0, 0
	for {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			return nil, err
		}
		packet = append(packet, b[0])
		length |= int(b[0]&0x7F) << shift
		shift += 7
		if b[0] < 0x80 {
			break
		}
	}
	body := make([]byte, length)
	_, err := io.ReadFull(r, body)
	return append(packet, body...), err
}
