package server_test

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// FuzzClientStream sends any bytes after a CONNECT, and any bytes at all. Whatever they are, what reaches the broker is
// one CONNECT that the gate made and well-formed packets of the kinds that clients may send there. The broker delivers
// one message of each quality of service, so that there is something to acknowledge.
func FuzzClientStream(f *testing.F) {
	will := connecting{version: 4, flags: 0x06, id: "x", rest: join(text(topic), text("{}"))}.bytes()
	for _, version := range []byte{3, 4, 5} {
		for _, seed := range [][]byte{
			connect(version), will, publishing(version, 0, 0, topic, "{}"), publishing(version, qos1, 1, topic, "{}"),
			publishing(version, qos2|1, 1, "$SYS/x", "{}"), subscribe(version, 1, "#", "$SYS/#", "$share/a/b"),
			join(subscribe(version, 1, "a"), unsubscribe(version, 2, "a", "$b"), ping, []byte{0xE0, 0}),
			hexed("4002 0001 5002 0002 7002 0002 6202 0003"), hexed("8206 0001 00 0001 61"), hexed("f000"),
		} {
			f.Add(version, seed)
			f.Add(version, join(seed, connect(version)))
			f.Add(byte(0), join(connect(version), seed))
		}
	}
	f.Fuzz(func(t *testing.T, version byte, bytes []byte) {
		s := fuzzed(t)
		conn, err := net.Dial("tcp", s.server.MQTT.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if version >= 3 && version <= 5 {
			_, _ = conn.Write(connect(version))
		}
		_, _ = conn.Write(bytes)
		_ = conn.(*net.TCPConn).CloseWrite()
		_ = readAll(conn)
		s.broker.set(func() {
			// Those that have ended have been judged in full; the others are judged once more.
			s.broker.conns = slices.DeleteFunc(s.broker.conns, func(seen *brokerConn) bool { return judge(t, seen) })
		})
	})
}

var fuzzSetup *setup

// fuzzed is one gate for all inputs of a process. It outlives the test of each input, so it has a test of its own, which
// never ends.
func fuzzed(t *testing.T) *setup {
	if fuzzSetup == nil {
		fuzzSetup = start(&testing.T{}, limit("publishPerSecond", 1_000_000), limit("publishBurst", 1_000_000))
		fuzzSetup.broker.set(func() { fuzzSetup.broker.deliveries = true })
	}
	return fuzzSetup
}

// judge looks at all that reached the broker on one connection and says whether the connection has ended.
func judge(t *testing.T, conn *brokerConn) (ended bool) {
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if conn.err != nil {
		t.Fatalf("the broker got what is no packet: %v", conn.err)
	}
	for i, packet := range conn.seen {
		kind := packet.FixedHeader.Type
		switch {
		case i == 0:
			c := packet.Connect
			if kind != packets.Connect || c.WillFlag || c.UsernameFlag || !c.Clean || !strings.HasPrefix(c.ClientIdentifier, "anon-") {
				t.Fatalf("the first packet is %+v", packet)
			}
		case kind == packets.Subscribe, kind == packets.Unsubscribe:
			for _, filter := range packet.Filters {
				if strings.HasPrefix(filter.Filter, "$") {
					t.Fatalf("the filter %q reached the broker", filter.Filter)
				}
			}
		case kind == packets.Pingreq, kind == packets.Disconnect:
		case kind == packets.Puback && packet.PacketID == 1, kind == packets.Pubrec && packet.PacketID == 2,
			kind == packets.Pubcomp && packet.PacketID == 2:
		default:
			t.Fatalf("the broker saw %s %d", packets.PacketNames[kind], packet.PacketID)
		}
	}
	return conn.closed
}
