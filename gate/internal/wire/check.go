package wire

import (
	"bytes"

	"github.com/mochi-mqtt/server/v2/packets"
)

// check walks over a packet's body in the given protocol version and returns the first fault. A CONNECT brings its
// version itself.
func check(header packets.FixedHeader, version byte, body []byte) *Error {
	c := cursor{rest: body}
	if version == 5 && fromServers(header.Type) {
		return violation("packet that only servers send") // FROST-Server speaks MQTT 3.1.1 here
	}
	switch header.Type {
	case packets.Connect:
		c.connect()
	case packets.Connack:
		c.connack()
	case packets.Publish:
		c.publish(header, version)
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		c.acknowledgement(header.Type, version)
	case packets.Subscribe, packets.Unsubscribe:
		c.filters(header.Type, version)
	case packets.Suback:
		c.suback()
	case packets.Unsuback:
		c.packetID()
	case packets.Pingreq, packets.Pingresp:
	case packets.Disconnect:
		c.disconnect(version)
	default:
		return violation("packet of a type that is not known here")
	}
	c.end()
	return c.err
}

// connack is what FROST-Server answers, in MQTT 3.1.1.
func (c *cursor) connack() {
	if flags, code := c.u8(), c.u8(); flags > 1 || code > 5 {
		c.fail(malformed("CONNACK with reserved values"))
	}
}

func (c *cursor) publish(header packets.FixedHeader, version byte) {
	topic := c.text()
	if bytes.ContainsAny(topic, "+#") {
		c.fail(violation("wildcard in a topic name")) // [MQTT-3.3.2-2]
	}
	if len(topic) == 0 && version < 5 {
		c.fail(violation("empty topic name")) // [MQTT-4.7.3-1]
	}
	if header.Qos > 0 {
		c.packetID()
	}
	if version == 5 {
		c.properties(packets.Publish)
	}
	c.rest = nil // the payload, which may be anything
}

func (c *cursor) acknowledgement(packet, version byte) {
	c.packetID()
	if version == 5 {
		c.reason(packet)
	}
}

func (c *cursor) disconnect(version byte) {
	if version == 5 {
		c.reason(packets.Disconnect)
	}
}

// reason is the end of packets that may leave out their properties, and the reason code with them.
func (c *cursor) reason(packet byte) {
	if len(c.rest) > 0 {
		c.u8()
	}
	if len(c.rest) > 0 {
		c.properties(packet)
	}
}

func (c *cursor) filters(packet, version byte) {
	c.packetID()
	if version == 5 {
		c.properties(packet)
	}
	if len(c.rest) == 0 {
		c.fail(violation("no topic filter")) // [MQTT-3.8.3-2] [MQTT-3.10.3-2]
	}
	for len(c.rest) > 0 {
		if len(c.text()) == 0 {
			c.fail(violation("empty topic filter")) // [MQTT-4.7.3-1]
		}
		if packet == packets.Subscribe {
			c.options(version)
		}
	}
}

// options are the byte after each filter of a SUBSCRIBE [MQTT-3.8.3-4] [MQTT-3.8.3-5].
func (c *cursor) options(version byte) {
	options := c.u8()
	reserved := byte(0xFC)
	if version == 5 {
		reserved = 0xC0
	}
	if options&reserved != 0 || options&0x03 == 3 || options&0x30 == 0x30 {
		c.fail(malformed("subscription options with reserved values"))
	}
}

// suback is what FROST-Server answers, in MQTT 3.1.1.
func (c *cursor) suback() {
	c.packetID()
	if len(c.rest) == 0 {
		c.fail(malformed("SUBACK without a code"))
	}
	for len(c.rest) > 0 {
		if code := c.u8(); code > 2 && code != 0x80 {
			c.fail(malformed("SUBACK with a reserved code")) // [MQTT-3.9.3-2]
		}
	}
}

func fromServers(packet byte) bool {
	switch packet {
	case packets.Connack, packets.Suback, packets.Unsuback, packets.Pingresp:
		return true
	default:
		return false
	}
}
