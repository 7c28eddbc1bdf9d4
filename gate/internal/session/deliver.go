package session

import (
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/translate"
)

// serveBroker handles what FROST-Server sends until its connection ends. A client that does not read is waited for, so
// that FROST-Server notices.
func (s *session) serveBroker() error {
	for {
		packet, err := s.broker.read()
		if err == nil {
			err = s.fromBroker(packet)
		}
		var known *fault
		switch {
		case err == nil:
		case errors.As(err, &known), errors.Is(err, errTooLarge):
			return err
		default:
			// Whatever happened to it, the server that the client knows is no longer there.
			return because(shutdownCode)
		}
	}
}

// fromBroker handles one packet of FROST-Server. What is not named here is not expected: it never sees a PUBLISH.
func (s *session) fromBroker(packet *packets.Packet) error {
	id := packet.PacketID
	switch packet.FixedHeader.Type {
	case packets.Publish:
		return s.deliver(packet)
	case packets.Pubrel:
		if s.flight.release(id) {
			return s.client.send(coded(packets.Pubrel, id, translate.Success))
		}
		return s.broker.send(plain(packets.Pubcomp, id))
	case packets.Suback:
		if codes := s.subscriptions.answer(id, false, packet.ReasonCodes); codes != nil {
			return s.client.send(s.suback(id, codes))
		}
	case packets.Unsuback:
		if codes := s.subscriptions.answer(id, true, nil); codes != nil {
			return s.client.send(unsuback(id, codes))
		}
	case packets.Pingresp:
		return s.client.send(plain(packets.Pingresp, 0))
	}
	return errBroker
}

// deliver sends a message to the client, unless its token has expired just now.
func (s *session) deliver(packet *packets.Packet) error {
	if s.identity.Expired() {
		return because(translate.Expired)
	}
	qos := packet.FixedHeader.Qos
	if qos > 0 && s.flight.begin(packet.PacketID, qos) && s.client.version == 5 {
		return nil // within a connection nothing is sent twice [MQTT-4.4.0-1]
	}
	err := s.client.send(packet)
	if errors.Is(err, errTooLarge) {
		return s.absorb(packet.PacketID, qos)
	}
	if err == nil {
		s.gate.metrics.Delivered()
	}
	return err
}

// absorb takes a message that its client can't take as if it had [MQTT-3.1.2-25].
func (s *session) absorb(id uint16, qos byte) error {
	s.gate.metrics.Dropped()
	if qos == 0 {
		return nil
	}
	s.flight.absorb(id, qos)
	answer := packets.Puback
	if qos == 2 {
		answer = packets.Pubrec
	}
	return s.broker.send(plain(answer, id))
}
