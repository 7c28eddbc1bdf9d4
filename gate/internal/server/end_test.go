package server_test

import (
	"strings"
	"testing"
	"time"
)

func TestNoBroker(t *testing.T) {
	s := start(t)
	_ = s.broker.listener.Close()
	for version, want := range map[byte]string{4: "20 02 00 03", 5: "20 03 00 88 00"} {
		c := s.dial()
		c.send(connect(version))
		c.expect(want, "closed")
	}
}

func TestTheBrokersEndIsTold(t *testing.T) {
	s := start(t)
	for version, accepted := range map[byte]string{4: accepted4, 5: accepted5} {
		c := s.dial()
		c.send(connect(version))
		c.expect(accepted)
		_ = s.broker.last().conn.Close()
		c.expect(ended(version, "8b")...)
	}
}

func TestWhatTheBrokerShouldNotSendEndsTheConnection(t *testing.T) {
	s := start(t)
	for name, bytes := range map[string]string{
		"PUBACK": "4002 0001", "CONNACK": "2002 0000", "SUBACK of nothing": "9003 0001 00", "UNSUBACK of nothing": "b002 0001",
		"malformed": "3001 00", "wildcard": "3005 0001 2b 7b7d", "SUBSCRIBE": "8206 0001 0001 61 00", "type 15": "f000",
	} {
		c := s.dial()
		c.send(connect(5))
		c.expect(accepted5)
		s.broker.last().push(hexed(bytes))
		t.Run(name, func(t *testing.T) { c.t = t; c.expect("e0 02 8b 00", "closed") })
	}
}

func TestShutdown(t *testing.T) {
	s := start(t)
	four, five, waiting, publisher := s.dial(), s.dial(), s.dial(), s.dial()
	four.send(connect(4))
	four.expect(accepted4)
	five.send(connect(5))
	five.expect(accepted5)
	release := s.http.holdAnswers()
	publisher.send(connectWithToken(5, s.issuer.Token("a", "create")))
	publisher.next()
	publisher.send(publishing(5, qos1, 9, topic, "{}"))
	eventually(t, "the POST", func() bool { return len(s.http.posted()) == 1 })
	begun := time.Now()
	s.stop()
	four.expect("closed")
	five.expect("e0 02 8b 00", "closed")
	waiting.expect("closed")
	release()
	publisher.expect("40 02 0009", "e0 02 8b 00", "closed")
	<-s.stopped
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the end took %v", took)
	}
}

func TestShutdownDoesNotWaitForThoseThatAreStuck(t *testing.T) {
	s := start(t)
	release := s.http.holdAnswers()
	defer release()
	publisher, deaf := s.dial(), s.dial()
	publisher.send(connectWithToken(4, s.issuer.Token("a", "create")), publishing(4, qos1, 9, topic, "{}"))
	deaf.send(connect(4))
	deaf.expect(accepted4)
	flood(s.broker.last())
	begun := time.Now()
	s.stop()
	<-s.stopped
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
}

// flood sends messages until nobody takes any more.
func flood(conn *brokerConn) {
	message := publishing(4, 0, 0, "a", strings.Repeat("x", 60_000))
	_ = conn.conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
	for {
		if _, err := conn.conn.Write(message); err != nil {
			return
		}
	}
}
