package session

import (
	"time"
	"unicode/utf8"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/publish"
	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
)

// publish stores one PUBLISH by HTTP and acknowledges it then; none ever reaches FROST-Server's MQTT. Nothing more is
// read from the client meanwhile, which is all the queue there is.
func (s *session) publish(packet *packets.Packet) error {
	if err := s.publishable(packet); err != nil {
		return err
	}
	if err := s.limiter.Wait(s.ctx); err != nil {
		return err
	}
	// Until its PUBREL comes, the same id is the same message [MQTT-4.3.3-10]: it is stored already. With quality of
	// service 1 the same id is a new message once it was acknowledged, even if it is marked as sent again [MQTT-4.3.2-5].
	if packet.FixedHeader.Qos == 2 && s.received.has(packet.PacketID) {
		return s.client.send(coded(packets.Pubrec, packet.PacketID, translate.Success))
	}
	code, reason := s.store(packet)
	if code == translate.Success {
		return s.stored(packet)
	}
	return s.notStored(packet, code, reason)
}

// publishable ends the connection for what a client of MQTT 5 has been told not to send.
func (s *session) publishable(packet *packets.Packet) error {
	if s.client.version < 5 {
		return nil // a retain flag is not looked at: MQTT 3 has no way to refuse it but to end the connection
	}
	surplus := packet.FixedHeader.Qos == 2 && s.received.size >= receiveMaximum && !s.received.has(packet.PacketID)
	switch {
	case packet.Properties.TopicAliasFlag: // section 3.3.2.3.4
		return refuse(packets.Publish, status.NotOffered, translate.TopicAliasInvalid)
	case packet.TopicName == "":
		return refuse(packets.Publish, status.BadProtocol, translate.ProtocolError)
	case packet.FixedHeader.Retain: // section 3.2.2.3.5
		return refuse(packets.Publish, status.Retained, translate.RetainNotSupported)
	case surplus: // [MQTT-3.3.4-8]
		return refuse(packets.Publish, status.BadProtocol, translate.ReceiveMaximumExceeded)
	default:
		return nil
	}
}

// store returns Success only if FROST-Server has stored the payload.
func (s *session) store(packet *packets.Packet) (code byte, reason status.Reason) {
	if s.gate.poster == nil || !s.identity.Create {
		return translate.NotAuthorized, status.NotAuthorized
	}
	path, ok := publish.Path(s.gate.config.Publishing.TopicPrefix, packet.TopicName)
	if !ok {
		return translate.BadTopic, status.BadTopic
	}
	if packet.Properties.PayloadFormat == 1 && !utf8.Valid(packet.Payload) {
		return translate.BadPayload, status.BadPayload
	}
	begun := time.Now()
	result := s.gate.poster.Post(s.ctx, path, s.identity.Authorization, packet.Payload)
	s.gate.metrics.Published(string(result), time.Since(begun))
	return resultCode(result)
}

func resultCode(result publish.Result) (byte, status.Reason) {
	switch result {
	case publish.Stored:
		return translate.Success, ""
	case publish.Unauthorized:
		return translate.NotAuthorized, status.NotAuthorized
	case publish.NoSuchTopic:
		return translate.BadTopic, status.BadTopic
	case publish.Invalid:
		return translate.BadPayload, status.BadPayload
	case publish.Busy:
		return translate.QuotaExceeded, status.NotStored
	default:
		return translate.Failed, status.NotStored
	}
}

func (s *session) stored(packet *packets.Packet) error {
	switch packet.FixedHeader.Qos {
	case 1:
		return s.client.send(coded(packets.Puback, packet.PacketID, translate.Success))
	case 2:
		s.received.add(packet.PacketID)
		return s.client.send(coded(packets.Pubrec, packet.PacketID, translate.Success))
	default:
		return nil
	}
}

// notStored tells a client of MQTT 5 in the acknowledgement. Where there is none, with quality of service 0 and in all
// of MQTT 3, the connection ends: nothing is lost in silence.
func (s *session) notStored(packet *packets.Packet, code byte, reason status.Reason) error {
	refused := refuse(packets.Publish, reason, code)
	if s.client.version < 5 || packet.FixedHeader.Qos == 0 {
		return refused
	}
	s.gate.tell(refused)
	answer := packets.Puback
	if packet.FixedHeader.Qos == 2 {
		answer = packets.Pubrec
	}
	return s.client.send(coded(answer, packet.PacketID, code))
}

// completeReceived answers the PUBREL of a client's own publication. MQTT 3 has one answer for all ids.
func (s *session) completeReceived(id uint16) error {
	code := translate.Success
	if !s.received.has(id) {
		code = translate.PacketIDNotFound
	}
	s.received.remove(id)
	return s.client.send(coded(packets.Pubcomp, id, code))
}
