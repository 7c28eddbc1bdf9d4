package session

import (
	"errors"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
)

// fromClient handles one packet of the client. What is not named here ends the connection: a second CONNECT, which
// FROST-Server would take [MQTT-3.1.0-2], AUTH, and what only servers send.
func (s *session) fromClient(packet *packets.Packet) error {
	switch kind := packet.FixedHeader.Type; kind {
	case packets.Publish:
		return s.publish(packet)
	case packets.Pubrel:
		return s.completeReceived(packet.PacketID)
	case packets.Puback, packets.Pubrec, packets.Pubcomp:
		return s.acknowledge(packet)
	case packets.Subscribe:
		return s.subscribe(packet)
	case packets.Unsubscribe:
		return s.unsubscribe(packet)
	case packets.Pingreq:
		return s.broker.send(plain(packets.Pingreq, 0))
	case packets.Disconnect:
		return s.disconnect(packet)
	default:
		return refuse(kind, status.BadProtocol, translate.ProtocolError)
	}
}

// disconnect ends the session too if that is what the client asks for now. One that was not to be kept can't be kept
// after all (MQTT 5, section 3.14.2.2.2).
func (s *session) disconnect(packet *packets.Packet) error {
	properties := packet.Properties
	if properties.SessionExpiryIntervalFlag {
		if properties.SessionExpiryInterval > 0 && !s.keptByClient {
			return refuse(packets.Disconnect, status.BadProtocol, translate.ProtocolError)
		}
		s.forget = s.persistent && properties.SessionExpiryInterval == 0
	}
	return errDisconnected
}

// acknowledge passes on what the client says of a delivery.
func (s *session) acknowledge(packet *packets.Packet) error {
	kind, id := packet.FixedHeader.Type, packet.PacketID
	if s.flight.acknowledge(kind, id, packet.ReasonCode >= translate.Unspecified) {
		return s.broker.send(plain(kind, id))
	}
	if kind == packets.Pubrec && s.client.version == 5 {
		return s.client.send(coded(packets.Pubrel, id, translate.PacketIDNotFound))
	}
	return nil
}

func (s *session) subscribe(packet *packets.Packet) error {
	if len(packet.Properties.SubscriptionIdentifier) > 0 { // section 3.2.2.3.12
		return refuse(packets.Subscribe, status.NotOffered, translate.NoSubscriptionIdentifier)
	}
	names := make([]string, len(packet.Filters))
	for i, filter := range packet.Filters {
		names[i] = filter.Filter
	}
	if s.subscriptions.full() {
		return refuse(packets.Subscribe, status.TooManyFilters, translate.QuotaExceeded)
	}
	made, ok := s.subscriptions.subscribe(packet.PacketID, names, s.identity.Read)
	if !ok {
		return s.idInUse(packets.Subscribe)
	}
	s.tellFilters(made.codes)
	if len(made.forward) == 0 {
		return s.client.send(s.suback(packet.PacketID, made.codes))
	}
	ask := plain(packets.Subscribe, packet.PacketID)
	for i, code := range made.codes {
		if code == asked {
			ask.Filters = append(ask.Filters, packets.Subscription{Filter: names[i], Qos: packet.Filters[i].Qos})
		}
	}
	return s.broker.send(ask)
}

// idInUse ends the connection: the client has lost count of its own packet ids [MQTT-2.2.1-3].
func (s *session) idInUse(packet byte) error {
	return refuse(packet, status.BadProtocol, translate.ProtocolError)
}

// tellFilters counts the filters that were refused.
func (s *session) tellFilters(codes []byte) {
	for _, code := range codes {
		switch code {
		case asked:
		case translate.QuotaExceeded:
			s.gate.refusals.Tell("SUBSCRIBE", status.TooManyFilters, nil)
		case translate.BadFilter:
			s.gate.refusals.Tell("SUBSCRIBE", status.BadTopic, nil)
		default:
			s.gate.refusals.Tell("SUBSCRIBE", status.NotAuthorized, nil)
		}
	}
}

func (s *session) suback(id uint16, codes []byte) *packets.Packet {
	made := plain(packets.Suback, id)
	for _, code := range codes {
		made.ReasonCodes = append(made.ReasonCodes, translate.SubackCode(code, s.client.version))
	}
	return made
}

func (s *session) unsubscribe(packet *packets.Packet) error {
	names := make([]string, len(packet.Filters))
	for i, filter := range packet.Filters {
		names[i] = filter.Filter
	}
	if s.subscriptions.full() {
		return refuse(packets.Unsubscribe, status.TooManyFilters, translate.QuotaExceeded)
	}
	made, ok := s.subscriptions.unsubscribe(packet.PacketID, names)
	if !ok {
		return s.idInUse(packets.Unsubscribe)
	}
	if len(made.forward) == 0 {
		return s.client.send(unsuback(packet.PacketID, made.codes))
	}
	ask := plain(packets.Unsubscribe, packet.PacketID)
	for _, filter := range made.forward {
		ask.Filters = append(ask.Filters, packets.Subscription{Filter: filter})
	}
	return s.broker.send(ask)
}

func unsuback(id uint16, codes []byte) *packets.Packet {
	made := plain(packets.Unsuback, id)
	made.ReasonCodes = codes
	return made
}

// errBroker says that FROST-Server sent what it should not.
var errBroker = errors.New("FROST-Server sent a packet that is not expected")
