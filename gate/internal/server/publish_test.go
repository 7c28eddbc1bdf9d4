package server_test

import (
	"net/http"
	"testing"
	"time"
)

// publisher is a client that may create.
func publisher(s *setup, version byte) *client {
	c := s.dial()
	c.send(connectWithToken(version, s.issuer.Token("gateway", "create")))
	c.next()
	return c
}

func TestPublicationsAreStoredBeforeTheyAreAcknowledged(t *testing.T) {
	s := start(t)
	versions(t, func(t *testing.T, version byte, _ string) {
		c := publisher(s, version)
		before := len(s.http.posted())
		release := s.http.holdAnswers()
		c.send(publishing(version, qos1, 3, topic, `{"result": 1}`))
		eventually(t, "the POST", func() bool { return len(s.http.posted()) == before+1 })
		c.silence()
		release()
		c.expect("40 02 0003")
		posted := s.http.posted()[before]
		if posted.path != "/FROST-Server/v1.1/Datastreams(1)/Observations" || posted.body != `{"result": 1}` ||
			posted.authorization[:7] != "Bearer " {
			t.Errorf("posted %+v", posted)
		}
		c.send(publishing(version, 0, 0, "v1.1/Observations", "{}"), publishing(version, qos2, 4, topic, "{}"))
		c.expect("50 02 0004")
		if got := s.http.posted()[before+1].path; got != "/FROST-Server/v1.1/Observations" {
			t.Errorf("posted to %s", got)
		}
	})
	s.metric(`mqtt_gate_published_total{result="stored"} 9`)
}

func TestADuplicateOfQoS2IsNotStoredTwice(t *testing.T) {
	s := start(t)
	c := publisher(s, 4)
	first, again := publishing(4, qos2, 7, topic, "{}"), publishing(4, qos2|0x08, 7, topic, "{}")
	c.send(first, again)
	c.expect("50 02 0007", "50 02 0007")
	if n := len(s.http.posted()); n != 1 {
		t.Fatalf("stored %d times", n)
	}
	c.send(hexed("6202 0007"))
	c.expect("70 02 0007")
	c.send(first)
	c.expect("50 02 0007")
	if n := len(s.http.posted()); n != 2 {
		t.Errorf("after PUBREL the id is not a new message: stored %d times", n)
	}
}

func TestPUBRELOfAnUnknownID(t *testing.T) {
	s := start(t)
	for version, want := range map[byte]string{4: "70 02 0009", 5: "70 03 0009 92"} {
		c := publisher(s, version)
		c.send(hexed("6202 0009"))
		c.expect(want)
	}
}

func TestWhatWasNotStoredIsNotAcknowledged(t *testing.T) {
	s := start(t)
	for status, code := range map[int]string{
		200: "83", 302: "83", 400: "99", 401: "87", 403: "87", 404: "90", 409: "99", 429: "97", 500: "83", 503: "83",
	} {
		s.http.answer(status)
		c := publisher(s, 5)
		c.send(publishing(5, qos1, 3, topic, "{}"))
		c.expect("40 03 0003" + code)
		c.send(publishing(5, qos2, 4, topic, "{}"))
		c.expect("50 03 0004" + code)
		c.send(publishing(5, 0, 0, topic, "{}"))
		c.expect(ended(5, code)...)
		for _, flags := range []byte{0, qos1, qos2} {
			c := publisher(s, 4)
			c.send(publishing(4, flags, 3, topic, "{}"))
			c.expect("closed")
		}
	}
}

func TestAfterAFailureTheIDOfQoS2IsFree(t *testing.T) {
	s := start(t)
	c := publisher(s, 5)
	s.http.answer(http.StatusServiceUnavailable)
	c.send(publishing(5, qos2, 4, topic, "{}"))
	c.expect("50 03 0004 83")
	s.http.answer(http.StatusCreated)
	c.send(publishing(5, qos2, 4, topic, "{}"))
	c.expect("50 02 0004")
	if n := len(s.http.posted()); n != 2 {
		t.Errorf("posted %d times", n)
	}
}

func TestWhoMayNotPublish(t *testing.T) {
	for name, c := range map[string]struct {
		changes []change
		hello   func(s *setup, version byte) []byte
	}{
		"anonymous":          {nil, func(_ *setup, v byte) []byte { return connect(v) }},
		"anonymous, Basic":   {[]change{basicAuth(true)}, func(_ *setup, v byte) []byte { return connect(v) }},
		"token without role": {nil, func(s *setup, v byte) []byte { return connectWithToken(v, s.issuer.Token("a", "read")) }},
		"token of a person": {nil, func(s *setup, v byte) []byte {
			claims := s.issuer.Claims("alice", "create")
			claims["azp"] = "application"
			delete(claims, "client_id")
			return connectWithToken(v, s.issuer.Sign(claims))
		}},
		"another client's": {nil, func(s *setup, v byte) []byte {
			claims := s.issuer.Claims("gateway", "create")
			claims["azp"] = "application"
			return connectWithToken(v, s.issuer.Sign(claims))
		}},
		"publishing not offered": {[]change{noPublishing}, func(s *setup, v byte) []byte {
			return connectWithToken(v, s.issuer.Token("a", "create"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.changes...)
			for flags, want := range map[byte][]string{qos1: {"40 03 0003 87"}, qos2: {"50 03 0003 87"}, 0: ended(5, "87")} {
				five := s.dial()
				five.send(c.hello(s, 5))
				five.next()
				five.send(publishing(5, flags, 3, topic, "{}"))
				five.expect(want...)
				four := s.dial()
				four.send(c.hello(s, 4))
				four.expect(accepted4)
				four.send(publishing(4, flags, 3, topic, "{}"))
				four.expect("closed")
			}
			if n := len(s.http.posted()); n != 0 {
				t.Errorf("posted %d times", n)
			}
		})
	}
}

func TestTopicsOnWhichNothingIsCreated(t *testing.T) {
	s := start(t)
	for _, to := range []string{"foo/bar", "v1.1/Things", "v1.0/Observations", "$SYS/x", "v1.1/Datastreams(x)/Observations"} {
		c := publisher(s, 5)
		c.send(publishing(5, qos1, 3, to, "{}"))
		c.expect("40 03 0003 90")
		c.send(publishing(5, 0, 0, to, "{}"))
		c.expect(ended(5, "90")...)
		c = publisher(s, 4)
		c.send(publishing(4, qos1, 3, to, "{}"))
		c.expect("closed")
	}
	if n := len(s.http.posted()); n != 0 {
		t.Errorf("posted %d times", n)
	}
}

func TestCredentialsOfPublications(t *testing.T) {
	basic := start(t, basicAuth(true))
	c := basic.dial()
	c.send(connectAs(4, "user", "pass"), publishing(4, qos1, 1, topic, "{}"))
	c.expect(accepted4, "40 02 0001")
	if got := basic.http.posted()[0].authorization; got != "Basic dXNlcjpwYXNz" {
		t.Errorf("authorization %q", got)
	}
	open := start(t, noAuth)
	c = open.dial()
	c.send(connectAs(4, "user", "pass"), publishing(4, qos1, 1, topic, "{}"))
	c.expect(accepted4, "40 02 0001")
	if got := open.http.posted()[0].authorization; got != "" {
		t.Errorf("authorization %q", got)
	}
	if open.broker.last().connect().UsernameFlag {
		t.Error("the broker was told a user name that nobody asked for")
	}
}

func TestPayloadFormat(t *testing.T) {
	s := start(t)
	c := publisher(s, 5)
	c.send(framed(0x32, join(text(topic), hexed("0003 02 0101"), []byte("\xff"))))
	c.expect("40 03 0003 99")
	c.send(framed(0x32, join(text(topic), hexed("0004 02 0101"), []byte("{}"))))
	c.expect("40 02 0004")
}

func TestReceiveMaximum(t *testing.T) {
	s := start(t)
	c := publisher(s, 5)
	for id := uint16(1); id <= 20; id++ {
		c.send(publishing(5, qos2, id, topic, "{}"))
		c.next()
	}
	c.send(hexed("6202 0001"))
	c.expect("70 02 0001")
	c.send(publishing(5, qos2, 21, topic, "{}"))
	c.expect("50 02 0015")
	c.send(publishing(5, qos2, 22, topic, "{}"))
	c.expect(ended(5, "93")...)
}

func TestTheRateOfPublicationsIsOneForAllConnectionsOfASubject(t *testing.T) {
	s := start(t, limit("publishPerSecond", 10), limit("publishBurst", 2))
	one, two := publisher(s, 4), publisher(s, 4)
	begun := time.Now()
	for range 2 {
		one.send(publishing(4, qos1, 1, topic, "{}"))
		two.send(publishing(4, qos1, 1, topic, "{}"))
		one.expect("40 02 0001")
		two.expect("40 02 0001")
	}
	if took := time.Since(begun); took < 180*time.Millisecond {
		t.Errorf("four publications with a burst of two took %v", took)
	}
	begun = time.Now()
	other := s.dial()
	other.send(connectWithToken(4, s.issuer.Token("other", "create")), publishing(4, qos1, 1, topic, "{}"))
	other.expect(accepted4, "40 02 0001")
	if took := time.Since(begun); took > 90*time.Millisecond {
		t.Errorf("another subject waited %v", took)
	}
}

func TestAPublicationThatIsBeingStoredHoldsUpNobodyElse(t *testing.T) {
	s := start(t)
	c, other := publisher(s, 4), publisher(s, 4)
	release := s.http.holdAnswers()
	defer release()
	c.send(publishing(4, qos1, 1, topic, "{}"), ping)
	c.silence() // the ping waits with it
	other.send(ping)
	other.expect("d0 00")
}
