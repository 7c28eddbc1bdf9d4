package server_test

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// Packets at the level of bytes, written by hand: a library would not make the wrong ones.

func text(s string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(s))), s...)
}

func join(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func hexed(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// connecting makes CONNECTs.
type connecting struct {
	version    byte
	flags      byte
	keepAlive  uint16
	properties []byte // of MQTT 5, without their length
	id         string
	rest       []byte // what follows the id: will, user name, password
}

func (c connecting) bytes() []byte {
	name := "MQTT"
	if c.version == 3 {
		name = "MQIsdp"
	}
	body := join(text(name), []byte{c.version, c.flags}, binary.BigEndian.AppendUint16(nil, c.keepAlive))
	if c.version == 5 {
		body = join(body, []byte{byte(len(c.properties))}, c.properties)
	}
	return framed(0x10, join(body, text(c.id), c.rest))
}

// connect is an anonymous client with a clean session.
func connect(version byte) []byte {
	return connecting{version: version, flags: 0x02, keepAlive: 60, id: "client"}.bytes()
}

// connectAs is a client with a user name and a password.
func connectAs(version byte, user, password string) []byte {
	return connecting{version: version, flags: 0xC2, keepAlive: 60, id: "client", rest: join(text(user), text(password))}.bytes()
}

func connectWithToken(version byte, token string) []byte { return connectAs(version, "token", token) }

// subscribe makes a SUBSCRIBE with quality of service 1 for each filter.
func subscribe(version byte, id uint16, filters ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if version == 5 {
		body = append(body, 0)
	}
	for _, filter := range filters {
		body = join(body, text(filter), []byte{1})
	}
	return framed(0x82, body)
}

func unsubscribe(version byte, id uint16, filters ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	if version == 5 {
		body = append(body, 0)
	}
	for _, filter := range filters {
		body = join(body, text(filter))
	}
	return framed(0xA2, body)
}

// publishing makes PUBLISHes; the first byte's flags are those of the header.
func publishing(version, flags byte, id uint16, topic, payload string) []byte {
	body := text(topic)
	if flags&0x06 != 0 {
		body = binary.BigEndian.AppendUint16(body, id)
	}
	if version == 5 {
		body = append(body, 0)
	}
	return framed(0x30|flags, join(body, []byte(payload)))
}

const (
	accepted4 = "20 02 00 00"
	topic     = "v1.1/Datastreams(1)/Observations"
	qos1      = 0x02
	qos2      = 0x04
)

// accepted5 is the CONNACK of MQTT 5 to a client with an id of its own and no session to keep: Receive Maximum 20,
// Retain Available 0, Maximum Packet Size 8092, and neither subscription identifiers nor shared subscriptions.
const accepted5 = "20 11 00 00 0e 21 0014 25 00 27 00001f9c 29 00 2a 00"

var ping = []byte{0xC0, 0}
