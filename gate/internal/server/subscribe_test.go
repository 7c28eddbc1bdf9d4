package server_test

import (
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"
)

func connected(s *setup, version byte) (*client, *brokerConn) {
	c := s.dial()
	c.send(connect(version))
	c.next()
	return c, s.broker.last()
}

func TestSubscribing(t *testing.T) {
	s := start(t)
	versions(t, func(t *testing.T, version byte, _ string) {
		c, broker := connected(s, version)
		none := map[bool]string{true: "00"}[version == 5]
		length := func(n int) string { return string("0123456789"[n+len(none)/2]) }
		c.send(subscribe(version, 5, "v1.1/#", topic))
		c.expect("90 0" + length(4) + "0005" + none + "01 01")
		c.send(unsubscribe(version, 6, topic))
		c.expect("b0 0" + length(2+len(none)/2) + "0006" + none + none)
		seen := broker.packets()
		if got := broker.names(); got != "SUBSCRIBE 5,UNSUBSCRIBE 6," {
			t.Fatalf("the broker saw %s", got)
		}
		if f := seen[0].Filters; len(f) != 2 || f[0].Filter != "v1.1/#" || f[0].Qos != 1 || f[1].Filter != topic {
			t.Errorf("filters %+v", f)
		}
	})
}

func TestMixedSubscribesGetOneAnswerInOrder(t *testing.T) {
	s := start(t)
	filters := []string{"$SYS/#", "a", "$share/g/b", "c", strings.Repeat("x", 1025), "d/#/e", "e+", "f\n"}
	for version, want := range map[byte]string{3: "80 01 80 80 80 80 80 80", 4: "80 01 80 80 80 80 80 80", 5: "87 01 9e 80 8f 8f 8f 8f"} {
		s.broker.set(func() { s.broker.subacks = []byte{1, 0x80} })
		c, broker := connected(s, version)
		c.send(subscribe(version, 258, filters...))
		if version == 5 {
			c.expect("90 0b 0102 00" + want)
		} else {
			c.expect("90 0a 0102" + want)
		}
		if got := broker.packets()[0].Filters; len(got) != 2 || got[0].Filter != "a" || got[1].Filter != "c" {
			t.Errorf("the broker saw %+v", got)
		}
	}
	s.metric(`mqtt_gate_refused_total{packet="SUBSCRIBE",reason="topic"} 12`)
}

func TestRefusedFiltersAloneAreAnsweredByTheGate(t *testing.T) {
	s := start(t)
	for version, want := range map[byte]string{4: "90 03 0001 80", 5: "90 04 0001 00 87"} {
		c, broker := connected(s, version)
		c.send(subscribe(version, 1, "$SYS/broker/version"))
		c.expect(want)
		c.send(unsubscribe(version, 2, "$SYS/broker/version"))
		c.expect(map[byte]string{4: "b0 02 0002", 5: "b0 04 0002 00 11"}[version])
		if got := broker.names(); got != "" {
			t.Errorf("the broker saw %s", got)
		}
	}
}

func TestReadingNeedsItsRoleUnlessAnybodyMay(t *testing.T) {
	s := start(t, noAnonymousRead)
	for _, c := range []struct {
		version byte
		roles   []string
		want    string
	}{
		{4, []string{"create"}, "90 03 0001 80"}, {5, []string{"create"}, "90 04 0001 00 87"}, {5, nil, "90 04 0001 00 87"},
		{4, []string{"read"}, "90 03 0001 01"}, {5, []string{"read", "create"}, "90 04 0001 00 01"},
	} {
		client := s.dial()
		client.send(connectWithToken(c.version, s.issuer.Token("a", c.roles...)))
		client.next()
		client.send(subscribe(c.version, 1, topic))
		client.expect(c.want)
	}
	open := start(t)
	client := open.dial()
	client.send(connectWithToken(4, open.issuer.Token("a")), subscribe(4, 1, topic))
	client.expect(accepted4, "90 03 0001 01")
}

func TestLimitOfSubscriptions(t *testing.T) {
	s := start(t, limit("subscriptions", 2))
	c, _ := connected(s, 5)
	c.send(subscribe(5, 1, "a", "b", "c"))
	c.expect("90 06 0001 00 01 01 97")
	c.send(subscribe(5, 2, "a"))
	c.expect("90 04 0002 00 01")
	c.send(unsubscribe(5, 3, "a", "z"))
	c.expect("b0 05 0003 00 00 11")
	c.send(subscribe(5, 4, "c"))
	c.expect("90 04 0004 00 01")
	four, _ := connected(s, 4)
	four.send(subscribe(4, 1, "a", "b", "c"))
	four.expect("90 05 0001 01 01 80")
}

func TestSubscriptionsThatTheBrokerRefusedDoNotCount(t *testing.T) {
	s := start(t, limit("subscriptions", 1))
	s.broker.set(func() { s.broker.subacks = []byte{0x80} })
	c, _ := connected(s, 4)
	c.send(subscribe(4, 1, "a"))
	c.expect("90 03 0001 80")
	c.send(subscribe(4, 2, "b"))
	c.expect("90 03 0002 01")
}

func TestOptionsOfMQTT5AreNotPassedOn(t *testing.T) {
	s := start(t)
	c, broker := connected(s, 5)
	c.send(framed(0x82, hexed("0001 00 0001 61 2e"))) // quality of service 2, No Local, Retain As Published, handling 2
	c.expect("90 04 0001 00 02")
	if f := broker.packets()[0].Filters; len(f) != 1 || f[0].Qos != 2 || f[0].NoLocal || f[0].RetainAsPublished || f[0].RetainHandling != 0 {
		t.Errorf("filters %+v", f)
	}
}

func TestPacketIDsInUse(t *testing.T) {
	broker := newFakeBroker(t)
	silent := start(t, otherBroker(broker.address()))
	c := silent.dial()
	c.send(connect(5))
	c.expect(accepted5)
	// The broker's lock is held, so that it can't answer.
	broker.mu.Lock()
	c.send(subscribe(5, 1, "a"), unsubscribe(5, 1, "a"))
	c.expect("e0 02 82 00", "closed")
	broker.mu.Unlock()
}

func TestPingsReachTheBroker(t *testing.T) {
	s := start(t)
	versions(t, func(t *testing.T, version byte, _ string) {
		c, broker := connected(s, version)
		c.send(ping)
		c.expect("d0 00")
		if n := len(kinds(broker.packets(), packets.Pingreq)); n != 1 {
			t.Errorf("the broker saw %d pings", n)
		}
	})
}
