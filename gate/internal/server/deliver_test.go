package server_test

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"
)

func TestDeliveries(t *testing.T) {
	s := start(t)
	for version, none := range map[byte]string{4: "", 5: "00"} {
		c, broker := connected(s, version)
		length := func(n int) string { return hex.EncodeToString([]byte{byte(n + len(none)/2)}) }
		broker.push(publishing(4, 0, 0, "a", "0"))
		c.expect("30" + length(4) + "0001 61" + none + "30")
		broker.push(publishing(4, qos1, 1, "a", "1"))
		c.expect("32" + length(6) + "0001 61 0001" + none + "31")
		c.send(hexed("4002 0001"))
		broker.push(publishing(4, qos2, 2, "a", "2"))
		c.expect("34" + length(6) + "0001 61 0002" + none + "32")
		c.send(hexed("5002 0002"))
		c.expect("62 02 0002")
		c.send(hexed("7002 0002"))
		eventually(t, "the acknowledgements", func() bool { return broker.names() == "PUBACK 1,PUBREC 2,PUBCOMP 2," })
	}
	s.metric("mqtt_gate_delivered_total 6")
}

func TestAcknowledgementsOfNothingAreNotPassedOn(t *testing.T) {
	s := start(t)
	for version, want := range map[byte]string{4: "", 5: "62 03 0007 92"} {
		c, broker := connected(s, version)
		c.send(hexed("4002 0007"), hexed("7002 0007"), hexed("5002 0007"))
		if want != "" {
			c.expect(want)
		}
		c.send(ping)
		c.expect("d0 00")
		broker.push(publishing(4, qos1, 7, "a", ""))
		c.next()
		c.send(hexed("5002 0007"), hexed("7002 0007"), ping) // not what quality of service 1 is answered with
		if want != "" {
			c.expect(want)
		}
		c.expect("d0 00")
		if got := broker.names(); got != "PINGREQ 0,PINGREQ 0," {
			t.Errorf("the broker saw %s", got)
		}
	}
}

func TestResendsOfTheBrokerReachMQTT3Only(t *testing.T) {
	s := start(t)
	for version, resent := range map[byte]bool{4: true, 5: false} {
		c, broker := connected(s, version)
		broker.push(publishing(4, qos1, 1, "a", ""))
		first := c.next()
		broker.push(publishing(4, qos1|0x08, 1, "a", ""))
		if resent {
			c.expect("3a" + hex.EncodeToString(first[1:]))
		} else {
			c.silence()
		}
	}
}

func TestReceiveMaximumOfTheClient(t *testing.T) {
	s := start(t)
	c := s.dial()
	c.send(connecting{version: 5, flags: 0x02, id: "x", properties: hexed("21 0002")}.bytes())
	c.next()
	broker := s.broker.last()
	for id := uint16(1); id <= 3; id++ {
		broker.push(publishing(4, qos1, id, "a", ""))
	}
	c.next()
	c.next()
	c.silence()
	c.send(hexed("4002 0001"))
	c.expect("32 06 0001 61 0003 00")
	c.send(hexed("4002 0002"), hexed("4002 0003"))
	for id := uint16(4); id <= 6; id++ {
		broker.push(publishing(4, qos2, id, "a", ""))
	}
	c.next()
	c.next()
	c.send(hexed("5003 0004 87")) // refused: it no longer counts
	c.expect("34 06 0001 61 0006 00")
	eventually(t, "the end of the refused delivery", func() bool { return strings.Contains(broker.names(), "PUBREC 4,PUBCOMP 4,") })
}

func TestMaximumPacketSizeOfTheClient(t *testing.T) {
	s := start(t)
	c := s.dial()
	c.send(connecting{version: 5, flags: 0x02, id: "x", properties: hexed("27 00000028")}.bytes())
	c.next()
	broker := s.broker.last()
	large := strings.Repeat("x", 40)
	broker.push(join(publishing(4, 0, 0, "a", large), publishing(4, qos1, 1, "a", large), publishing(4, qos2, 2, "a", large),
		publishing(4, 0, 0, "a", "small")))
	c.expect("30 09 0001 61 00" + hex.EncodeToString([]byte("small")))
	eventually(t, "the acknowledgements", func() bool { return broker.names() == "PUBACK 1,PUBREC 2,PUBCOMP 2," })
	s.metric("mqtt_gate_dropped_total 3")
	for maximum, want := range map[string][]string{"05": {"20 03 00 95 00", "closed"}, "04": {"closed"}} {
		tiny := s.dial()
		tiny.send(connecting{version: 5, flags: 0x02, id: "x", properties: hexed("27 000000" + maximum)}.bytes())
		tiny.expect(want...)
	}
}

func TestAnotherSessionsPUBRELIsPassedOn(t *testing.T) {
	s := start(t)
	c, broker := connected(s, 4)
	broker.push(hexed("6202 0005"))
	c.expect("62 02 0005")
	c.send(hexed("7002 0005"))
	eventually(t, "the PUBCOMP", func() bool { return broker.names() == "PUBCOMP 5," })
}

func TestAClientThatDoesNotReadStopsTheBroker(t *testing.T) {
	s := start(t)
	c, broker := connected(s, 4)
	begun := time.Now()
	flood(broker) // ends when nothing is taken any more
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the gate took all it was sent for %v", took)
	}
	other, _ := connected(s, 4)
	other.send(ping)
	other.expect("d0 00")
	_ = c.conn.Close()
	eventually(t, "the end at the broker", broker.gone)
}

func TestLargeDeliveries(t *testing.T) {
	s := start(t)
	c, broker := connected(s, 4)
	message := publishing(4, 0, 0, "a", strings.Repeat("x", 200_000))
	go broker.push(message)
	if got := c.next(); string(got) != string(message) {
		t.Errorf("%d bytes came, want %d", len(got), len(message))
	}
	five, broker := connected(s, 5)
	go broker.push(publishing(4, 0, 0, "a", strings.Repeat("x", 1<<20)))
	five.expect("e0 02 8b 00", "closed")
}
