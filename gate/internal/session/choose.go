package session

import (
	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
)

// receiveMaximum is how many publications a client of MQTT 5 may have under way.
const receiveMaximum = 20

// choose decides on the client id that FROST-Server sees and whether its session outlives the connection. Sessions of
// anonymous clients never do: nothing tells whose they are.
func (s *session) choose(packet *packets.Packet) error {
	own := packet.Connect.ClientIdentifier
	s.brokerID = s.identity.NewClientID()
	if own == "" {
		s.assignedID = s.brokerID
	}
	expiry := packet.Properties.SessionExpiryInterval
	s.keptByClient = expiry > 0
	if s.identity.Anonymous() || (packet.Connect.Clean && expiry == 0) {
		return nil
	}
	if own == "" && packet.ProtocolVersion < 5 { // [MQTT-3.1.3-8] of 3.1.1
		return refuse(packets.Connect, status.BadClientID, translate.BadClientID)
	}
	s.persistent = true
	s.brokerID = s.identity.PersistentClientID(own + s.assignedID)
	s.cleanStart = packet.Connect.Clean
	s.forget = packet.ProtocolVersion == 5 && expiry == 0
	return nil
}

// accepted is the CONNACK of a client that is let in. In MQTT 5 it says what is not offered; a Topic Alias Maximum that
// is left out is 0 (section 3.2.2.3.8).
func (s *session) accepted(packet *packets.Packet, present bool) *packets.Packet {
	made := plain(packets.Connack, 0)
	// MQTT 3.1 has no such flag; a client that wanted a new session has one [MQTT-3.2.2-2].
	made.SessionPresent = present && s.client.version > 3 && !packet.Connect.Clean
	s.subscriptions.resumed = made.SessionPresent
	made.Properties = packets.Properties{
		ReceiveMaximum: receiveMaximum, MaximumPacketSize: uint32(s.gate.config.Limits.PacketBytes),
		AssignedClientID: s.assignedID, RetainAvailableFlag: true, SubIDAvailableFlag: true, SharedSubAvailableFlag: true,
	}
	s.tellExpiry(&made.Properties, packet.Properties.SessionExpiryInterval)
	return made
}

// tellExpiry says how long the session is kept if that is not as long as was asked for (section 3.2.2.3.2):
// FROST-Server keeps sessions until it is restarted, or not at all.
func (s *session) tellExpiry(properties *packets.Properties, asked uint32) {
	kept := uint32(0)
	if s.persistent && !s.forget {
		kept = forever
	}
	if asked != kept {
		properties.SessionExpiryInterval, properties.SessionExpiryIntervalFlag = kept, true
	}
}
