package server_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
)

// versions runs a test in each version of MQTT with its CONNACK of an anonymous client.
func versions(t *testing.T, test func(t *testing.T, version byte, accepted string)) {
	for version, accepted := range map[byte]string{3: accepted4, 4: accepted4, 5: accepted5} {
		t.Run(map[byte]string{3: "3.1", 4: "3.1.1", 5: "5"}[version], func(t *testing.T) { test(t, version, accepted) })
	}
}

// ended is how a version is told that its connection ends.
func ended(version byte, code string) []string {
	if version < 5 {
		return []string{"closed"}
	}
	return []string{"e0 02" + code + "00", "closed"}
}

func TestASecondConnectEndsTheConnection(t *testing.T) {
	s := start(t)
	versions(t, func(t *testing.T, version byte, accepted string) {
		will := connecting{version: 4, flags: 0x06, id: "x", rest: join(text(topic), text("{}"))}.bytes()
		for name, second := range map[string][]byte{"harmless": connect(version), "with a will": will} {
			for _, pipelined := range []bool{true, false} {
				c := s.dial()
				if pipelined {
					c.send(connect(version), second)
					c.expect(accepted)
				} else {
					c.send(connect(version))
					c.expect(accepted)
					c.send(second)
				}
				c.expect(ended(version, "82")...)
				at := s.broker.last()
				eventually(t, "the end at the broker", at.gone)
				if got := at.names(); got != "DISCONNECT 0," {
					t.Errorf("%s, pipelined %v: the broker saw %s", name, pipelined, got)
				}
			}
		}
	})
	s.metric(`mqtt_gate_refused_total{packet="CONNECT",reason="protocol"} 12`)
}

func TestWillsAreRefusedToAll(t *testing.T) {
	s := start(t)
	token := s.issuer.Token("gateway", "read", "create")
	will := join(text(topic), text(`{"result": 1}`))
	for _, flags := range []byte{0x06, 0x0E, 0x16, 0x26} {
		for _, version := range []byte{3, 4} {
			c := s.dial()
			c.send(connecting{version: version, flags: flags, id: "x", rest: will}.bytes())
			c.expect("20 02 00 05", "closed")
		}
		c := s.dial()
		c.send(connecting{version: 5, flags: flags, id: "x", rest: join([]byte{0}, will)}.bytes())
		c.expect("20 03 00 87 00", "closed")
	}
	c := s.dial()
	c.send(connecting{version: 4, flags: 0xC6, id: "x", rest: join(will, text("token"), text(token))}.bytes())
	c.expect("20 02 00 05", "closed")
	if n := len(s.broker.all()); n != 0 {
		t.Errorf("%d connections reached the broker", n)
	}
	s.metric(`mqtt_gate_refused_total{packet="CONNECT",reason="will"} 13`)
}

func TestNobodyInheritsOrTakesOverAClientID(t *testing.T) {
	s := start(t)
	token := s.issuer.Token("gateway", "create")
	owner, thief := s.dial(), s.dial()
	owner.send(connectWithToken(4, token))
	owner.expect(accepted4)
	ownersID := s.broker.last().connect().ClientIdentifier
	thief.send(connect(4))
	thief.expect(accepted4)
	thievesID := s.broker.last().connect().ClientIdentifier
	if thievesID == ownersID || !strings.HasPrefix(thievesID, "anon-") || !strings.HasPrefix(ownersID, "once-") {
		t.Errorf("ids %s and %s of clients with one id", ownersID, thievesID)
	}
	// Even the id that the broker knows is no help.
	other := s.dial()
	other.send(connecting{version: 4, flags: 0x02, id: ownersID}.bytes())
	other.expect(accepted4)
	if s.broker.last().connect().ClientIdentifier == ownersID {
		t.Error("a client chose the id that the broker sees")
	}
	owner.send(ping)
	owner.expect("d0 00")
	thief.send(publishing(4, qos1, 1, topic, "{}"))
	thief.expect("closed")
}

func TestNoPublishReachesTheBroker(t *testing.T) {
	s := start(t)
	token := s.issuer.Token("gateway", "read", "create")
	versions(t, func(t *testing.T, version byte, _ string) {
		for _, flags := range []byte{0, qos1, qos2, 0x01, qos1 | 0x01} {
			for _, to := range []string{topic, "foo/bar", "$SYS/broker/version", "v1.1/Things(1)"} {
				for _, hello := range [][]byte{connect(version), connectWithToken(version, token)} {
					c := s.dial()
					c.send(hello, publishing(version, flags, 7, to, "{}"), []byte{0xE0, 0})
					_ = readAll(c.conn)
				}
			}
		}
	})
	for _, conn := range s.broker.all() {
		if got := conn.names(); got != "DISCONNECT 0," && got != "" {
			t.Fatalf("the broker saw %s", got)
		}
	}
}

func TestAnExpiredTokenEndsTheConnection(t *testing.T) {
	s := start(t)
	for _, version := range []byte{4, 5} {
		claims := s.issuer.Claims("gateway", "create")
		expires := time.Now().Add(time.Second).Truncate(time.Second).Add(time.Second)
		claims["exp"] = expires.Unix()
		c := s.dial()
		c.send(connectWithToken(version, s.issuer.Sign(claims)))
		c.next()
		c.send(publishing(version, qos1, 1, topic, "{}"))
		c.expect(map[byte]string{4: "40 02 0001", 5: "40 02 0001"}[version])
		c.expect(ended(version, "a0")...)
		if late := time.Since(expires); late < 0 || late > 300*time.Millisecond {
			t.Errorf("the connection ended %v after the token", late)
		}
		if conn := s.broker.last(); !conn.gone() {
			eventually(t, "the end at the broker", conn.gone)
		}
		again := s.dial()
		again.send(connectWithToken(version, s.issuer.Sign(claims)))
		again.expect(map[byte]string{4: "20 02 00 04", 5: "20 03 00 86 00"}[version], "closed")
	}
	s.metric("mqtt_gate_expired_total 2")
}

func TestBadTokens(t *testing.T) {
	s := start(t)
	claims := func(name string, value any) string {
		all := s.issuer.Claims("gateway", "create")
		all[name] = value
		return s.issuer.Sign(all)
	}
	for name, token := range map[string]string{
		"empty": "", "garbage": "garbage", "other audience": claims("aud", "otherapp"), "ID token": claims("typ", "ID"),
		"refresh token": claims("typ", "Refresh"), "other issuer": claims("iss", "http://evil.example"),
		"alg none": "eyJhbGciOiJub25lIiwia2lkIjoic2lnIn0." + strings.Split(claims("sub", "x"), ".")[1] + ".",
	} {
		for version, want := range map[byte]string{3: "20 02 00 04", 4: "20 02 00 04", 5: "20 03 00 86 00"} {
			c := s.dial()
			c.send(connectWithToken(version, token))
			t.Run(name, func(t *testing.T) { c.t = t; c.expect(want, "closed") })
		}
	}
	if strings.Contains(s.logged.String(), "eyJ") {
		t.Error("a token is in the log")
	}
}

func TestTheIssuerDownKeepsOnlyTokensOut(t *testing.T) {
	s := start(t)
	s.issuer.SetDown(true)
	c := s.dial()
	c.send(connectWithToken(4, s.issuer.Token("gateway")))
	c.expect("20 02 00 03", "closed")
	c = s.dial()
	c.send(connectWithToken(5, s.issuer.Token("gateway")))
	c.expect("20 03 00 88 00", "closed")
	c = s.dial()
	c.send(connect(4))
	c.expect(accepted4)
}

func TestRetainedPublications(t *testing.T) {
	s := start(t)
	token := s.issuer.Token("gateway", "create")
	c := s.dial()
	c.send(connectWithToken(5, token))
	c.next()
	c.send(publishing(5, qos1|0x01, 1, topic, "{}"))
	c.expect("e0 02 9a 00", "closed")
	if n := len(s.http.posted()); n != 0 {
		t.Errorf("%d retained publications of MQTT 5 were stored", n)
	}
	c = s.dial()
	c.send(connectWithToken(4, token), publishing(4, qos1|0x01, 1, topic, "{}"))
	c.expect(accepted4, "40 02 0001")
}

func TestByteByByte(t *testing.T) {
	s := start(t)
	c := s.dial()
	slowly := func(packet []byte, answer string) {
		for _, b := range packet {
			c.send([]byte{b})
		}
		c.expect(answer)
	}
	slowly(connectWithToken(4, s.issuer.Token("gateway", "create")), accepted4)
	slowly(subscribe(4, 1, "v1.1/#"), "90 03 0001 01")
	slowly(publishing(4, qos1, 2, topic, "{}"), "40 02 0002")
	evil := s.dial()
	for _, b := range (connecting{version: 4, flags: 0x06, id: "x", rest: join(text(topic), text("{}"))}).bytes() {
		evil.send([]byte{b})
	}
	evil.expect("20 02 00 05", "closed")
}

// kinds are the types of packets, for those that count what the broker saw.
func kinds(seen []*packets.Packet, kind byte) (found []*packets.Packet) {
	for _, packet := range seen {
		if packet.FixedHeader.Type == kind {
			found = append(found, packet)
		}
	}
	return found
}
