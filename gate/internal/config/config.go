// Package config reads the gate's one JSON file and refuses what it does not know.
package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// The values of Auth.Type: how clients prove who they are.
const (
	Keycloak = "Keycloak"
	Basic    = "Basic"
	None     = "None"
)

// Config is the whole configuration file.
type Config struct {
	Listen     Listen      `json:"listen"`
	Broker     string      `json:"broker"` // HOST:PORT of FROST-Server's MQTT module, on the loopback interface
	Auth       Auth        `json:"auth"`
	Publishing *Publishing `json:"publishing,omitempty"` // absent: PUBLISH is refused
	Limits     Limits      `json:"limits"`
}

// Listen holds the addresses to listen on, as HOST:PORT or :PORT.
type Listen struct {
	MQTT      string `json:"mqtt"`
	WebSocket string `json:"webSocket,omitempty"` // absent: MQTT over WebSocket is not offered
	Status    string `json:"status"`
}

// Auth says how clients prove who they are and what those may do who don't.
type Auth struct {
	Type          string `json:"type"`
	AnonymousRead bool   `json:"anonymousRead"`
	Keycloak      *Realm `json:"keycloak,omitempty"`
}

// Realm is the OpenID Connect issuer whose access tokens are taken.
type Realm struct {
	Issuer   string `json:"issuer"`           // the claim iss of tokens
	URL      string `json:"url,omitempty"`    // where the issuer is reached, if not at Issuer
	ClientID string `json:"clientId"`         // has to be in the claim aud; its roles are what counts
	CAFile   string `json:"caFile,omitempty"` // PEM, in place of the system's certificates
}

// Base is the address below which discovery is found.
func (r Realm) Base() string {
	if r.URL != "" {
		return r.URL
	}
	return r.Issuer
}

// Publishing leads from topics to FROST-Server's HTTP module.
type Publishing struct {
	URL         string `json:"url"`         // stands for TopicPrefix, as in http://frost:8080/FROST-Server/v1.1
	TopicPrefix string `json:"topicPrefix"` // as in v1.1
}

// Limits bound what clients can take. What the file leaves out has its default.
type Limits struct {
	Connections           int     `json:"connections"`
	ConnectionsPerSubject int     `json:"connectionsPerSubject"`
	ConnectSeconds        float64 `json:"connectSeconds"` // until CONNECT is there in full
	Subscriptions         int     `json:"subscriptions"`  // topic filters of one connection
	PacketBytes           int     `json:"packetBytes"`    // of one packet from a client
	PublishPerSecond      float64 `json:"publishPerSecond"`
	PublishBurst          int     `json:"publishBurst"`
	VerifySeconds         float64 `json:"verifySeconds"` // until a user's password is looked at again
}

// ConnectTime is ConnectSeconds as a duration.
func (l Limits) ConnectTime() time.Duration {
	return time.Duration(l.ConnectSeconds * float64(time.Second))
}

// VerifyTime is VerifySeconds as a duration.
func (l Limits) VerifyTime() time.Duration {
	return time.Duration(l.VerifySeconds * float64(time.Second))
}

// DefaultLimits are those of a file that names none. PacketBytes is FROST-Server's own (mqtt_netty_mqtt_message_size).
func DefaultLimits() Limits {
	return Limits{
		Connections: 2000, ConnectionsPerSubject: 100, ConnectSeconds: 10, Subscriptions: 1000,
		PacketBytes: 8092, PublishPerSecond: 50, PublishBurst: 100, VerifySeconds: 60,
	}
}

// Load reads and checks a file. Errors name the field, its value and what is allowed.
func Load(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	config, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return config, nil
}

// Parse reads and checks the text of a file.
func Parse(text []byte) (*Config, error) {
	config := &Config{Limits: DefaultLimits()}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(config); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the JSON object; allowed: one object")
	}
	if err := config.check(); err != nil {
		return nil, err
	}
	return config, nil
}
