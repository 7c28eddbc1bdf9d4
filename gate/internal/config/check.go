package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// wrong is the error of one field: its name, its value and what is allowed.
func wrong(field string, value any, allowed string) error {
	return fmt.Errorf("%s is %#v; allowed: %s", field, value, allowed)
}

func (c *Config) check() error {
	return errors.Join(
		checkAddress("listen.mqtt", c.Listen.MQTT, true),
		checkAddress("listen.webSocket", c.Listen.WebSocket, false),
		checkAddress("listen.status", c.Listen.Status, true),
		checkBroker(c.Broker),
		c.Auth.check(),
		c.Publishing.check(),
		c.Limits.check(),
	)
}

func checkAddress(field, value string, needed bool) error {
	if value == "" && !needed {
		return nil
	}
	_, port, err := net.SplitHostPort(value)
	if err != nil || !isPort(port) {
		return wrong(field, value, "HOST:PORT or :PORT")
	}
	return nil
}

func isPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// checkBroker insists on the loopback interface: users' passwords and tokens go this way in the clear.
func checkBroker(value string) error {
	host, port, err := net.SplitHostPort(value)
	if err != nil || !isPort(port) || !(host == "localhost" || net.ParseIP(host).IsLoopback()) {
		return wrong("broker", value, "HOST:PORT with a loopback host, such as 127.0.0.1:1883")
	}
	return nil
}

func (a Auth) check() error {
	switch a.Type {
	case Keycloak:
		if a.Keycloak == nil {
			return wrong("auth.keycloak", nil, "an object with issuer and clientId, as auth.type is Keycloak")
		}
		return a.Keycloak.check()
	case Basic, None:
		if a.Keycloak != nil {
			return wrong("auth.keycloak", *a.Keycloak, "nothing, as auth.type is "+a.Type)
		}
		return nil
	default:
		return wrong("auth.type", a.Type, "Keycloak, Basic, None")
	}
}

func (r Realm) check() error {
	errs := []error{checkURL("auth.keycloak.issuer", r.Issuer), checkURL("auth.keycloak.url", r.Base())}
	if r.ClientID == "" {
		errs = append(errs, wrong("auth.keycloak.clientId", r.ClientID, "the name of FROST-Server's client in the realm"))
	}
	return errors.Join(errs...)
}

func checkURL(field, value string) error {
	parsed, err := url.Parse(value)
	if err != nil || (parsed.Scheme != "http" && parsed.Scheme != "https") || parsed.Host == "" ||
		parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil {
		return wrong(field, value, "http:// or https:// with a host, without user, query and fragment")
	}
	return nil
}

var topicPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$`)

func (p *Publishing) check() error {
	if p == nil {
		return nil
	}
	errs := []error{checkURL("publishing.url", p.URL)}
	if !topicPrefix.MatchString(p.TopicPrefix) {
		errs = append(errs, wrong("publishing.topicPrefix", p.TopicPrefix, "levels of letters, digits, '.', '_' and '-', such as v1.1"))
	}
	p.URL = strings.TrimRight(p.URL, "/")
	return errors.Join(errs...)
}

func (l Limits) check() error {
	return errors.Join(
		between("limits.connections", float64(l.Connections), 1, 1_000_000),
		between("limits.connectionsPerSubject", float64(l.ConnectionsPerSubject), 1, 1_000_000),
		between("limits.connectSeconds", l.ConnectSeconds, 0.1, 300),
		between("limits.subscriptions", float64(l.Subscriptions), 1, 65_535),
		between("limits.packetBytes", float64(l.PacketBytes), 256, 268_435_460),
		between("limits.publishPerSecond", l.PublishPerSecond, 0.01, 1_000_000),
		between("limits.publishBurst", float64(l.PublishBurst), 1, 1_000_000),
		between("limits.verifySeconds", l.VerifySeconds, 0.1, 3600),
	)
}

func between(field string, value, low, high float64) error {
	if value >= low && value <= high {
		return nil
	}
	return wrong(field, value, fmt.Sprintf("%v to %v", low, high))
}
