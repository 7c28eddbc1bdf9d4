package config

import (
	"strings"
	"testing"
	"time"
)

const good = `{
	"listen": {"mqtt": ":1883", "webSocket": ":9876", "status": ":8080"},
	"broker": "127.0.0.1:1884",
	"auth": {"type": "Keycloak", "anonymousRead": true,
		"keycloak": {"issuer": "https://id.city.example/realms/city", "clientId": "frost"}},
	"publishing": {"url": "http://frost:8080/FROST-Server/v1.1/", "topicPrefix": "v1.1"},
	"limits": {"connections": 10}
}`

func TestDefaultsFillWhatTheFileLeavesOut(t *testing.T) {
	config, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultLimits()
	want.Connections = 10
	if config.Limits != want {
		t.Errorf("limits %+v, want %+v", config.Limits, want)
	}
	if got := config.Limits.ConnectTime(); got != 10*time.Second {
		t.Errorf("connect time %v", got)
	}
	if got := config.Publishing.URL; got != "http://frost:8080/FROST-Server/v1.1" {
		t.Errorf("publishing.url %q keeps its slash", got)
	}
	if got := config.Auth.Keycloak.Base(); got != "https://id.city.example/realms/city" {
		t.Errorf("base %q is not the issuer", got)
	}
}

func TestWrongFilesAreRefusedWithTheField(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown field", `"broker"`, `"brokr": 1, "broker"`, `unknown field "brokr"`},
		{"unknown nested field", `"connections"`, `"conections": 1, "connections"`, `unknown field "conections"`},
		{"trailing text", `"limits": {"connections": 10}` + "\n}", `"limits": {}} {}`, "after the JSON object"},
		{"no address", `":1883"`, `""`, `listen.mqtt is ""; allowed: HOST:PORT`},
		{"no port", `":1883"`, `":mqtt"`, `listen.mqtt is ":mqtt"`},
		{"broker elsewhere", `127.0.0.1:1884`, `10.0.0.1:1884`, `broker is "10.0.0.1:1884"; allowed: HOST:PORT with a loopback host`},
		{"broker by name", `127.0.0.1:1884`, `frost:1884`, `broker is "frost:1884"`},
		{"auth type", `"Keycloak"`, `"LDAP"`, `auth.type is "LDAP"; allowed: Keycloak, Basic, None`},
		{"realm with Basic", `"Keycloak"`, `"Basic"`, `auth.keycloak is `},
		{"issuer", `"https://id.city.example/realms/city"`, `"id.city.example"`, `auth.keycloak.issuer is "id.city.example"`},
		{"url with a user", `"clientId"`, `"url": "http://u:p@id", "clientId"`, `auth.keycloak.url is`},
		{"client id", `"frost"}`, `""}`, `auth.keycloak.clientId is ""`},
		{"publishing url", `"http://frost:8080/FROST-Server/v1.1/"`, `"frost"`, `publishing.url is "frost"`},
		{"topic prefix", `"v1.1"}`, `"#"}`, `publishing.topicPrefix is "#"`},
		{"zero connections", `10}`, `0}`, `limits.connections is 0; allowed: 1 to 1e+06`},
		{"packet too small", `"connections": 10`, `"packetBytes": 10`, `limits.packetBytes is 10`},
		{"no rate", `"connections": 10`, `"publishPerSecond": 0`, `limits.publishPerSecond is 0`},
		{"no burst", `"connections": 10`, `"publishBurst": 0`, `limits.publishBurst is 0`},
		{"subscriptions", `"connections": 10`, `"subscriptions": 0`, `limits.subscriptions is 0`},
		{"per subject", `"connections": 10`, `"connectionsPerSubject": -1`, `limits.connectionsPerSubject is -1`},
		{"verify time", `"connections": 10`, `"verifySeconds": 0`, `limits.verifySeconds is 0; allowed: 0.1 to 3600`},
		{"connect time", `"connections": 10`, `"connectSeconds": 0`, `limits.connectSeconds is 0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatal("the case changes nothing")
			}
			_, err := Parse([]byte(text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
