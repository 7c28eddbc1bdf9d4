package wire

import (
	"bytes"
	"fmt"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Encode returns a packet's bytes in its protocol version.
func Encode(packet *packets.Packet) ([]byte, error) {
	var buffer bytes.Buffer
	if err := encode(packet, &buffer); err != nil {
		return nil, fmt.Errorf("packet of type %s: %w", packets.PacketNames[packet.FixedHeader.Type], err)
	}
	return buffer.Bytes(), nil
}

func encode(packet *packets.Packet, buffer *bytes.Buffer) error {
	switch packet.FixedHeader.Type {
	case packets.Connect:
		return packet.ConnectEncode(buffer)
	case packets.Connack:
		return packet.ConnackEncode(buffer)
	case packets.Publish:
		return packet.PublishEncode(buffer)
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		return packet.PubackEncode(buffer)
	case packets.Pubrel:
		packet.FixedHeader.Qos = 1 // the reserved bits of PUBREL are 0010 [MQTT-3.6.1-1]
		return packet.PubrelEncode(buffer)
	case packets.Subscribe:
		packet.FixedHeader.Qos = 1 // [MQTT-3.8.1-1]
		return packet.SubscribeEncode(buffer)
	case packets.Suback:
		return packet.SubackEncode(buffer)
	case packets.Unsubscribe:
		packet.FixedHeader.Qos = 1 // [MQTT-3.10.1-1]
		return packet.UnsubscribeEncode(buffer)
	case packets.Unsuback:
		return packet.UnsubackEncode(buffer)
	case packets.Pingreq, packets.Pingresp:
		packet.FixedHeader.Remaining = 0
		packet.FixedHeader.Encode(buffer)
		return nil
	case packets.Disconnect:
		return packet.DisconnectEncode(buffer)
	default:
		return packets.ErrNoValidPacketAvailable
	}
}
