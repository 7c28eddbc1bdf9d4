package server_test

import (
	"net/http"
	"testing"
)

func TestUserNameWithoutPasswordIsAnonymous(t *testing.T) {
	for name, changes := range map[string][]change{"Keycloak": nil, "Basic": {basicAuth(true)}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, changes...)
			for _, version := range []byte{3, 4, 5} {
				c := s.dial()
				c.send(connecting{version: version, flags: 0x82, id: "x", rest: text("user")}.bytes())
				if got := c.next(); got == nil || got[3] != 0 {
					t.Fatalf("CONNACK %x", got)
				}
				if seen := s.broker.last().connect(); seen.UsernameFlag || seen.PasswordFlag {
					t.Error("the user name reached the broker")
				}
			}
		})
	}
}

func TestWhatTheBrokerIsTold(t *testing.T) {
	s := start(t)
	c := s.dial()
	c.send(connectWithToken(5, s.issuer.Token("gateway", "create")))
	c.next()
	seen := s.broker.last().connect()
	if seen.UsernameFlag || seen.PasswordFlag || seen.WillFlag || seen.Keepalive != 0 || !seen.Clean {
		t.Errorf("with anonymous read the broker sees %+v", seen)
	}
	private := start(t, noAnonymousRead)
	token := private.issuer.Token("gateway", "read")
	c = private.dial()
	c.send(connectWithToken(4, token))
	c.expect(accepted4)
	if seen := private.broker.last().connect(); string(seen.Password) != token || string(seen.Username) != "token" {
		t.Errorf("without anonymous read the broker sees %+v", seen)
	}
}

func TestAnonymousClientsWithoutAnonymousRead(t *testing.T) {
	for name, changes := range map[string][]change{"Keycloak": {noAnonymousRead}, "Basic": {basicAuth(false)}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, changes...)
			for version, want := range map[byte]string{3: "20 02 00 05", 4: "20 02 00 05", 5: "20 03 00 87 00"} {
				c := s.dial()
				c.send(connect(version))
				c.expect(want, "closed")
			}
			if n := len(s.broker.all()); n != 0 {
				t.Errorf("%d connections reached the broker", n)
			}
		})
	}
}

func TestStatusPort(t *testing.T) {
	s := start(t)
	for path, want := range map[string]int{"/livez": 200, "/broker": 200, "/metrics": 200, "/": 404} {
		answer, err := http.Get("http://" + s.server.Status.Addr().String() + path)
		if err != nil || answer.StatusCode != want {
			t.Errorf("%s: %v, %v", path, answer, err)
		}
	}
}
