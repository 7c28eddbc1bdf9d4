package server_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/wire"
)

// fakeBroker stands for FROST-Server's MQTT module: it answers like a broker and writes down all that reaches it.
type fakeBroker struct {
	listener net.Listener

	mu       sync.Mutex
	conns    []*brokerConn
	connack  []byte // flags and code
	subacks  []byte // codes for the next filters, in place of granted ones
	password string // if not empty, the only one that is taken

	deliveries bool // after a CONNECT, one message of each quality of service is sent
}

// brokerConn is one connection of the gate to the broker.
type brokerConn struct {
	conn   net.Conn
	broker *fakeBroker

	mu     sync.Mutex
	seen   []*packets.Packet
	closed bool
	err    error // what was wrong with the gate's bytes
}

func newFakeBroker(t *testing.T) *fakeBroker {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &fakeBroker{listener: listener, connack: []byte{0, 0}}
	t.Cleanup(func() {
		_ = listener.Close()
		for _, c := range b.all() {
			if c.err != nil {
				t.Errorf("the gate sent what is no packet: %v", c.err)
			}
		}
	})
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c := &brokerConn{conn: conn, broker: b}
			b.mu.Lock()
			b.conns = append(b.conns, c)
			b.mu.Unlock()
			go c.serve()
		}
	}()
	return b
}

func (b *fakeBroker) address() string { return b.listener.Addr().String() }

func (b *fakeBroker) all() []*brokerConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]*brokerConn(nil), b.conns...)
}

// last is the newest connection.
func (b *fakeBroker) last() *brokerConn {
	all := b.all()
	return all[len(all)-1]
}

func (b *fakeBroker) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (c *brokerConn) serve() {
	reader := wire.NewReader(wire.Buffer(c.conn), 1<<20)
	for {
		packet, err := reader.Read(4)
		c.mu.Lock()
		if err != nil {
			c.closed = true
			if _, wrong := err.(*wire.Error); wrong {
				c.err = err
			}
			c.mu.Unlock()
			_ = c.conn.Close()
			return
		}
		c.seen = append(c.seen, packet)
		c.mu.Unlock()
		c.answer(packet)
	}
}

func (c *brokerConn) answer(packet *packets.Packet) {
	id := []byte{byte(packet.PacketID >> 8), byte(packet.PacketID)}
	c.broker.mu.Lock()
	defer c.broker.mu.Unlock()
	switch packet.FixedHeader.Type {
	case packets.Connect:
		code := c.broker.connack
		if want := c.broker.password; want != "" && packet.Connect.PasswordFlag && string(packet.Connect.Password) != want {
			code = []byte{0, 4}
		}
		c.push(append([]byte{0x20, 2}, code...))
		if c.broker.deliveries {
			c.push(join(publishing(4, 0, 0, "a", ""), publishing(4, qos1, 1, "a", ""), publishing(4, qos2, 2, "a", "")))
		}
	case packets.Subscribe:
		body := id
		for _, filter := range packet.Filters {
			code := filter.Qos
			if len(c.broker.subacks) > 0 {
				code, c.broker.subacks = c.broker.subacks[0], c.broker.subacks[1:]
			}
			body = append(body, code)
		}
		c.push(framed(0x90, body))
	case packets.Unsubscribe:
		c.push(framed(0xB0, id))
	case packets.Pingreq:
		c.push([]byte{0xD0, 0})
	case packets.Pubrec:
		c.push(framed(0x62, id))
	}
}

// push sends bytes to the gate.
func (c *brokerConn) push(bytes []byte) { _, _ = c.conn.Write(bytes) }

// packets are those that have come, but for CONNECT.
func (c *brokerConn) packets() []*packets.Packet {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*packets.Packet(nil), c.seen[1:]...)
}

func (c *brokerConn) connect() packets.ConnectParams {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[0].Connect
}

func (c *brokerConn) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// names are the packets that have come, but for CONNECT, with their ids.
func (c *brokerConn) names() string {
	text := ""
	for _, packet := range c.packets() {
		text += fmt.Sprintf("%s %d,", wire.Name(packet.FixedHeader.Type), packet.PacketID)
	}
	return text
}

// framed puts a header before a body.
func framed(first byte, body []byte) []byte {
	header := []byte{first}
	for n := len(body); ; {
		b := byte(n % 128)
		if n /= 128; n > 0 {
			b |= 0x80
		}
		if header = append(header, b); n == 0 {
			return append(header, body...)
		}
	}
}

// readAll reads until the end, for connections that should be closed without a word.
func readAll(conn net.Conn) []byte {
	text, _ := io.ReadAll(conn)
	return text
}
