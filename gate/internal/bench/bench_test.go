// Package bench measures what a connection costs, and what the gate adds to a message's time.
package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// startBroker accepts every CONNECT, grants every SUBSCRIBE and answers every ping; with a ping comes a message of 200
// bytes first that holds the time.
func startBroker(b *testing.B) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveBroker(conn)
		}
	}()
	return listener.Addr().String()
}

func serveBroker(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 512)
	for {
		kind, body, err := read(reader)
		if err != nil {
			return
		}
		switch kind >> 4 {
		case 1:
			_, _ = conn.Write([]byte{0x20, 2, 0, 0})
		case 8:
			_, _ = conn.Write([]byte{0x90, 3, body[0], body[1], 0})
		case 12:
			message := make([]byte, 203)
			copy(message, []byte{0x30, 200, 1, 0, 1, 'a'})
			binary.BigEndian.PutUint64(message[6:], uint64(time.Now().UnixNano()))
			_, _ = conn.Write(message)
		}
	}
}

func read(reader *bufio.Reader) (byte, []byte, error) {
	kind, err := reader.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	length, err := binary.ReadUvarint(reader)
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, length)
	_, err = io.ReadFull(reader, body)
	return kind, body, err
}

var (
	connect   = []byte("\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01x")
	subscribe = []byte("\x82\x06\x00\x01\x00\x01a\x00")
)

func dial(b *testing.B, address string) net.Conn {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

func dialWebSocket(b *testing.B, address string) net.Conn {
	dialer := ws.Dialer{Protocols: []string{"mqtt"}}
	conn, _, _, err := dialer.Dial(context.Background(), "ws://"+address+"/mqtt")
	if err != nil {
		b.Fatal(err)
	}
	return conn
}

// BenchmarkIdleConnections opens 1,000 connections with a subscription each and looks at how much the gate's resident
// memory has grown. The gate has a process of its own.
func BenchmarkIdleConnections(b *testing.B) {
	const count = 1000
	for name, open := range map[string]func(gate) net.Conn{
		"tcp":       func(g gate) net.Conn { return dial(b, g.mqtt) },
		"websocket": func(g gate) net.Conn { return dialWebSocket(b, g.webSocket) },
	} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				g := startGate(b, startBroker(b))
				before := g.resident(b)
				for range count {
					conn := open(g)
					defer conn.Close()
					hello(b, conn, name == "websocket")
				}
				b.ReportMetric((g.resident(b)-before)/count, "B/connection")
				b.ReportMetric(g.resident(b), "B/gate")
			}
		})
	}
}

// BenchmarkBusyConnections looks at the most memory that 1,000 connections have taken once each was told of a message
// ten times.
func BenchmarkBusyConnections(b *testing.B) {
	const count, rounds = 1000, 10
	for range b.N {
		g := startGate(b, startBroker(b))
		before := g.resident(b)
		conns := make([]net.Conn, count)
		for i := range conns {
			conns[i] = dial(b, g.mqtt)
			defer conns[i].Close()
			hello(b, conns[i], false)
		}
		for range rounds {
			for _, conn := range conns {
				_, _ = conn.Write([]byte{0xC0, 0})
				if _, err := io.ReadFull(conn, make([]byte, 203)); err != nil {
					b.Fatal(err)
				}
			}
		}
		b.ReportMetric((g.most(b)-before)/count, "B/connection")
	}
}

// hello connects and subscribes; answers are 4 and 5 bytes, in frames with a header of 2.
func hello(b *testing.B, conn net.Conn, framed bool) {
	for _, step := range []struct {
		packet []byte
		answer int
	}{{connect, 4}, {subscribe, 5}} {
		packet, answer := step.packet, step.answer
		if framed {
			packet, answer = ws.MustCompileFrame(ws.MaskFrame(ws.NewBinaryFrame(packet))), answer+2
		}
		if _, err := conn.Write(packet); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, make([]byte, answer)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDelivery compares how long a message of 200 bytes takes from a broker to a client, directly and through the
// gate. It is run in turns, so that what else the machine does falls on both alike.
func BenchmarkDelivery(b *testing.B) {
	broker := startBroker(b)
	g := startGate(b, broker)
	paths := []struct {
		name   string
		conn   net.Conn
		reader *bufio.Reader
		took   []time.Duration
	}{{name: "direct", conn: dial(b, broker)}, {name: "gate", conn: dial(b, g.mqtt)}}
	for i := range paths {
		hello(b, paths[i].conn, false)
		paths[i].reader = bufio.NewReader(paths[i].conn)
		defer paths[i].conn.Close()
	}
	for range b.N {
		for i := range paths {
			_, _ = paths[i].conn.Write([]byte{0xC0, 0})
			_, body, err := read(paths[i].reader)
			if err != nil {
				b.Fatal(err)
			}
			sent := time.Unix(0, int64(binary.BigEndian.Uint64(body[3:])))
			paths[i].took = append(paths[i].took, time.Since(sent))
		}
	}
	for _, path := range paths {
		slices.Sort(path.took)
		b.ReportMetric(float64(path.took[len(path.took)/2].Microseconds()), path.name+"-p50-us")
		b.ReportMetric(float64(path.took[len(path.took)*99/100].Microseconds()), path.name+"-p99-us")
	}
}
