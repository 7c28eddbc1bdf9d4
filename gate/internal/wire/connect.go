package wire

import "github.com/mochi-mqtt/server/v2/packets"

// The bits of CONNECT's flags.
const (
	reservedFlag = 0x01
	willFlag     = 0x04
	willQoS      = 0x18
	willRetain   = 0x20
	passwordFlag = 0x40
	userFlag     = 0x80
)

func (c *cursor) connect() {
	version := c.protocol()
	flags := c.u8()
	c.connectFlags(flags, version)
	c.u16() // keep alive
	if version == 5 {
		c.properties(packets.Connect)
	}
	c.text() // client identifier
	if flags&willFlag != 0 {
		if version == 5 {
			c.properties(packets.WillProperties)
		}
		c.text()
		c.binary()
	}
	if flags&userFlag != 0 {
		c.text()
	}
	if flags&passwordFlag != 0 {
		c.binary()
	}
}

// protocol reads name and level: MQIsdp 3 (MQTT 3.1), MQTT 4 (3.1.1) and MQTT 5 [MQTT-3.1.2-1] [MQTT-3.1.2-2].
func (c *cursor) protocol() byte {
	name, version := string(c.binary()), c.u8()
	switch {
	case name == "MQIsdp" && version == 3, name == "MQTT" && (version == 4 || version == 5):
	case c.err == nil && (name == "MQIsdp" || name == "MQTT"):
		c.fail(&Error{Code: BadVersion, Reason: "protocol version that is not known here"})
	default:
		c.fail(violation("protocol that is not MQTT"))
	}
	return version
}

func (c *cursor) connectFlags(flags, version byte) {
	switch {
	case flags&reservedFlag != 0: // [MQTT-3.1.2-3]
		c.fail(malformed("reserved flag of CONNECT"))
	case flags&willFlag == 0 && flags&(willQoS|willRetain) != 0: // [MQTT-3.1.2-11] [MQTT-3.1.2-13]
		c.fail(malformed("will options without a will"))
	case flags&willQoS == willQoS: // [MQTT-3.1.2-12]
		c.fail(malformed("will with quality of service 3"))
	case version < 5 && flags&(userFlag|passwordFlag) == passwordFlag: // [MQTT-3.1.2-22] of 3.1.1
		c.fail(malformed("password without a user name"))
	}
}
