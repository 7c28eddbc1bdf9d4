package server_test

import (
	"strings"
	"testing"
)

// sessionIDs are the ids that the broker saw, newest last.
func sessionIDs(s *setup) (ids []string) {
	for _, conn := range s.broker.all() {
		eventually(s.t, "a CONNECT", func() bool {
			conn.mu.Lock()
			defer conn.mu.Unlock()
			return len(conn.seen) > 0
		})
		ids = append(ids, conn.connect().ClientIdentifier)
	}
	return ids
}

func TestAnonymousClientsHaveCleanSessions(t *testing.T) {
	s := start(t)
	for version, want := range map[byte]string{3: accepted4, 4: accepted4} {
		c := s.dial()
		c.send(connecting{version: version, id: "x"}.bytes())
		c.expect(want)
		if seen := s.broker.last().connect(); !seen.Clean || !strings.HasPrefix(seen.ClientIdentifier, "anon-") {
			t.Errorf("the broker sees %+v", seen)
		}
	}
	c := s.dial()
	c.send(connecting{version: 5, id: "x", properties: hexed("11 00000e10")}.bytes())
	c.expect("20 16 00 00 13 11 00000000 21 0014 25 00 27 00001f9c 29 00 2a 00")
	if seen := s.broker.last().connect(); !seen.Clean {
		t.Errorf("the broker sees %+v", seen)
	}
}

func TestPersistentSessionsBelongToTheTokenAndTheID(t *testing.T) {
	s := start(t)
	persistent := func(subject, id string) string {
		c := s.dial()
		c.send(connecting{version: 4, flags: 0xC0, id: id, rest: join(text("u"), text(s.issuer.Token(subject, "read")))}.bytes())
		c.expect(accepted4)
		seen := s.broker.last()
		c.send([]byte{0xE0, 0})
		c.expect("closed")
		eventually(t, "the end at the broker", seen.gone)
		if seen.connect().Clean {
			t.Error("the broker sees a clean session")
		}
		return seen.connect().ClientIdentifier
	}
	first := persistent("a", "x")
	if !strings.HasPrefix(first, "keep-") || persistent("a", "x") != first {
		t.Error("the same client has another session")
	}
	if persistent("b", "x") == first || persistent("a", "y") == first {
		t.Error("another client has the session")
	}
}

func TestSessionPresentIsPassedOn(t *testing.T) {
	s := start(t)
	s.broker.set(func() { s.broker.connack = []byte{1, 0} })
	token := s.issuer.Token("a", "read")
	c := s.dial()
	c.send(connecting{version: 4, flags: 0xC0, id: "x", rest: join(text("u"), text(token))}.bytes())
	c.expect("20 02 01 00")
	c = s.dial()
	c.send(connecting{version: 3, flags: 0xC0, id: "y", rest: join(text("u"), text(token))}.bytes())
	c.expect("20 02 00 00")
	c = s.dial()
	c.send(connect(4))
	c.expect("20 02 00 00")
}

func TestASessionIsTakenOverByItsOwner(t *testing.T) {
	s := start(t)
	hello := connecting{version: 5, flags: 0xC0, id: "x", properties: hexed("11 ffffffff"),
		rest: join(text("u"), text(s.issuer.Token("a", "read")))}.bytes()
	first, second := s.dial(), s.dial()
	first.send(hello)
	first.expect(accepted5)
	second.send(hello)
	second.expect(accepted5)
	first.expect("e0 02 8e 00", "closed")
	second.send(ping)
	second.expect("d0 00")
	if ids := sessionIDs(s); len(ids) != 2 || ids[0] != ids[1] {
		t.Errorf("ids %v", ids)
	}
}

func TestMQTT5SessionsBeginAndEndAsAsked(t *testing.T) {
	for name, c := range map[string]struct {
		flags      byte
		expiry     string
		disconnect string
		clean      []bool // of the CONNECTs that the broker sees
		accepted   string
	}{
		"kept":             {0xC0, "11 ffffffff", "e0 00", []bool{false}, accepted5},
		"kept for longer":  {0xC0, "11 00000e10", "e0 00", []bool{false}, "20 16 00 00 13 11 ffffffff 21 0014 25 00 27 00001f9c 29 00 2a 00"},
		"begun anew":       {0xC2, "11 ffffffff", "e0 00", []bool{true, false}, accepted5},
		"ended at the end": {0xC0, "", "e0 00", []bool{false, true}, accepted5},
		"ended on demand":  {0xC0, "11 ffffffff", "e007 00 05 11 00000000", []bool{false, true}, accepted5},
		"never kept":       {0xC2, "", "e0 00", []bool{true}, accepted5},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			client := s.dial()
			client.send(connecting{version: 5, flags: c.flags, id: "x", properties: hexed(c.expiry),
				rest: join(text("u"), text(s.issuer.Token("a", "read")))}.bytes())
			client.expect(c.accepted)
			client.send(hexed(c.disconnect))
			client.expect("closed")
			eventually(t, "all CONNECTs", func() bool { return len(s.broker.all()) == len(c.clean) && s.broker.last().gone() })
			ids := sessionIDs(s)
			for i, conn := range s.broker.all() {
				if conn.connect().Clean != c.clean[i] || ids[i] != ids[0] {
					t.Errorf("CONNECT %d has clean %v and id %s", i, conn.connect().Clean, ids[i])
				}
			}
		})
	}
}

func TestEmptyClientIDs(t *testing.T) {
	s := start(t)
	for _, version := range []byte{3, 4} {
		c := s.dial()
		c.send(connecting{version: version, flags: 0x02}.bytes())
		c.expect(accepted4)
	}
	c := s.dial()
	c.send(connecting{version: 5, flags: 0x02}.bytes())
	assigned := s.broker
	got := c.next()
	if id := assigned.last().connect().ClientIdentifier; !strings.Contains(string(got), "\x12\x00\x17"+id) {
		t.Errorf("CONNACK %x does not assign %s", got, id)
	}
	c = s.dial()
	c.send(connecting{version: 4, flags: 0xC0, rest: join(text("u"), text(s.issuer.Token("a")))}.bytes())
	c.expect("20 02 00 02", "closed")
}

func TestEnhancedAuthenticationIsNotOffered(t *testing.T) {
	s := start(t)
	c := s.dial()
	c.send(connecting{version: 5, flags: 0x02, id: "x", properties: join([]byte{0x15}, text("SCRAM"))}.bytes())
	c.expect("20 03 00 8c 00", "closed")
}

func TestTheBrokersRefusalIsPassedOn(t *testing.T) {
	s := start(t, basicAuth(true))
	for code, want := range map[byte]string{1: "84", 2: "85", 3: "88", 4: "86", 5: "87"} {
		s.broker.set(func() { s.broker.connack = []byte{0, code} })
		c := s.dial()
		c.send(connectAs(5, "u", "p"))
		c.expect("20 03 00"+want+"00", "closed")
		c = s.dial()
		c.send(connectAs(4, "u", "p"))
		c.expect("20 02 00 0"+string('0'+rune(code)), "closed")
	}
}

func TestBasicLeavesThePasswordToTheBroker(t *testing.T) {
	s := start(t, basicAuth(true))
	s.broker.set(func() { s.broker.password = "right" })
	c := s.dial()
	c.send(connectAs(4, "user", "right"))
	c.expect(accepted4)
	if seen := s.broker.last().connect(); string(seen.Username) != "user" || string(seen.Password) != "right" {
		t.Errorf("the broker sees %+v", seen)
	}
	c = s.dial()
	c.send(connectAs(5, "user", "wrong"))
	c.expect("20 03 00 86 00", "closed")
	c = s.dial()
	c.send(connectAs(4, "user:x", "right"))
	c.expect("20 02 00 04", "closed")
	c = s.dial()
	c.send(connecting{version: 5, flags: 0x42, id: "x", rest: text("right")}.bytes())
	c.expect("20 03 00 86 00", "closed")
}

func TestAWrongPasswordTakesNothingFromItsUser(t *testing.T) {
	s := start(t, basicAuth(true), limit("connectionsPerSubject", 1))
	s.broker.set(func() { s.broker.password = "right" })
	persistent := func(password string) []byte {
		return connecting{version: 4, flags: 0xC0, id: "x", rest: join(text("user"), text(password))}.bytes()
	}
	owner, thief := s.dial(), s.dial()
	owner.send(persistent("right"))
	owner.expect(accepted4)
	thief.send(persistent("wrong"))
	thief.expect("20 02 00 04", "closed")
	owner.send(ping)
	owner.expect("d0 00")
}
