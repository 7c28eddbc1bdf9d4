package server_test

import (
	"testing"
	"time"
)

func TestLimitOfConnections(t *testing.T) {
	s := start(t, limit("connections", 2))
	one, two := s.dial(), s.dial()
	one.send(connect(4))
	one.expect(accepted4)
	two.send(connect(4))
	two.expect(accepted4)
	for version, want := range map[byte]string{4: "20 02 00 03", 5: "20 03 00 89 00"} {
		c := s.dial()
		c.send(connect(version))
		c.expect(want, "closed")
	}
	_ = one.conn.Close()
	s.metric(`mqtt_gate_connections{transport="tcp",version="3.1.1"} 1`)
	eventually(t, "room for another", func() bool {
		c := s.dial()
		c.send(connect(4))
		return c.next()[3] == 0
	})
}

func TestLimitOfConnectionsWithoutCONNECT(t *testing.T) {
	s := start(t, limit("connections", 1))
	silent := s.dial()
	silent.send([]byte{0x10})
	time.Sleep(20 * time.Millisecond)
	s.dial().expect("closed")
	silent.silence()
}

func TestLimitOfConnectionsPerSubject(t *testing.T) {
	for name, changes := range map[string][]change{"Keycloak": nil, "Basic": {basicAuth(true)}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, append(changes, limit("connectionsPerSubject", 1))...)
			password := func(subject string) []byte {
				if name == "Basic" {
					return connectAs(4, subject, "p")
				}
				return connectWithToken(4, s.issuer.Token(subject))
			}
			first := s.dial()
			first.send(password("a"))
			first.expect(accepted4)
			c := s.dial()
			c.send(password("a"))
			c.expect("20 02 00 03", "closed")
			c = s.dial()
			c.send(password("b"))
			c.expect(accepted4)
			for range 3 {
				c = s.dial()
				c.send(connect(4))
				c.expect(accepted4)
			}
		})
	}
}

func TestASlowCONNECTIsNotWaitedFor(t *testing.T) {
	s := start(t, limit("connectSeconds", 0.2))
	c := s.dial()
	begun := time.Now()
	c.send(connect(4)[:5])
	c.expect("closed")
	if took := time.Since(begun); took < 150*time.Millisecond || took > time.Second {
		t.Errorf("the connection ended after %v", took)
	}
	s.metric(`mqtt_gate_refused_total{packet="CONNECT",reason="too_slow"} 1`)
	fast := s.dial()
	fast.send(connect(4))
	fast.expect(accepted4)
	time.Sleep(300 * time.Millisecond)
	fast.send(ping)
	fast.expect("d0 00")
}

func TestKeepAliveIsWatchedByTheGate(t *testing.T) {
	s := start(t)
	c := s.dial()
	begun := time.Now()
	c.send(connecting{version: 5, flags: 0x02, keepAlive: 1, id: "x"}.bytes())
	c.expect(accepted5, "e0 02 8d 00", "closed")
	if took := time.Since(begun); took < 1400*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("the connection ended after %v", took)
	}
}
