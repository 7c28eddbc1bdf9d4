package server_test

import (
	"strings"
	"testing"
	"time"
)

// lookups are the connections by which the broker was asked about a password again.
func lookups(s *setup, before int) int { return len(s.broker.all()) - before }

func TestAPasswordThatIsGoodIsLookedAtAgainAndTheConnectionStays(t *testing.T) {
	s := start(t, basicAuth(true), limit("verifySeconds", 0.1))
	s.broker.set(func() { s.broker.password = "right" })
	c := s.dial()
	c.send(connectAs(5, "user", "right"))
	c.expect(accepted5)
	eventually(t, "some looks", func() bool { return lookups(s, 1) >= 4 })
	for _, conn := range s.broker.all()[1:4] {
		seen := conn.connect()
		if !seen.Clean || !strings.HasPrefix(seen.ClientIdentifier, "once-") || string(seen.Password) != "right" {
			t.Errorf("the broker sees %+v", seen)
		}
		eventually(t, "the end of a look", conn.gone)
	}
	c.send(ping)
	c.expect("d0 00")
}

func TestAPasswordThatWasChangedEndsTheConnection(t *testing.T) {
	for name, flags := range map[string]byte{"clean": 0xC2, "persistent": 0xC0} {
		t.Run(name, func(t *testing.T) {
			s := start(t, basicAuth(true), limit("verifySeconds", 0.2))
			s.broker.set(func() { s.broker.password = "right" })
			for version, accepted := range map[byte]string{4: accepted4, 5: accepted5} {
				c := s.dial()
				c.send(connecting{version: version, flags: flags, id: "x", rest: join(text("user"), text("right"))}.bytes())
				c.expect(accepted)
				s.broker.set(func() { s.broker.password = "other" })
				c.expect(ended(version, "87")...)
				s.broker.set(func() { s.broker.password = "right" })
			}
			s.metric(`mqtt_gate_refused_total{packet="CONNECT",reason="credentials"} 2`)
		})
	}
}

func TestOneRefusalIsNotBelieved(t *testing.T) {
	s := start(t, basicAuth(false), limit("verifySeconds", 0.4))
	s.broker.set(func() { s.broker.password = "right" })
	c := s.dial()
	c.send(connectAs(5, "user", "right"))
	c.expect(accepted5)
	s.broker.set(func() { s.broker.password = "nobody's while the database is away" })
	eventually(t, "a refusal", func() bool { return lookups(s, 1) >= 1 && s.broker.all()[1].gone() })
	s.broker.set(func() { s.broker.password = "right" })
	seen := lookups(s, 1)
	eventually(t, "more looks", func() bool { return lookups(s, 1) >= seen+2 })
	c.send(ping)
	c.expect("d0 00")
}

func TestNobodyElseIsLookedAtAgain(t *testing.T) {
	s := start(t, limit("verifySeconds", 0.1))
	c, anonymous := s.dial(), s.dial()
	c.send(connectWithToken(4, s.issuer.Token("gateway", "read")))
	c.expect(accepted4)
	anonymous.send(connect(4))
	anonymous.expect(accepted4)
	time.Sleep(400 * time.Millisecond)
	if n := lookups(s, 2); n != 0 {
		t.Errorf("the broker was asked %d times", n)
	}
}

func TestABrokerThatDoesNotAnswerSaysNothingOfAPassword(t *testing.T) {
	s := start(t, basicAuth(true), limit("verifySeconds", 0.1))
	c := s.dial()
	c.send(connectAs(5, "user", "right"))
	c.expect(accepted5)
	_ = s.broker.listener.Close()
	time.Sleep(500 * time.Millisecond)
	c.send(ping)
	c.expect("d0 00")
}
