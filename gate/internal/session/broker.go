package session

import (
	"fmt"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/auth"
	"sensorthings.city/mqtt-gate/internal/wire"
)

const (
	dialTime = 5 * time.Second
	// connackTime is how long FROST-Server may take for its CONNACK. It may have to ask an issuer for keys first.
	connackTime = 15 * time.Second
	// deliveryBytes bounds one packet of FROST-Server. Entities are far smaller.
	deliveryBytes = 1 << 20
	brokerVersion = 4
)

// refusedByBroker is the return code of a CONNACK that is not 0.
type refusedByBroker byte

func (r refusedByBroker) Error() string {
	return fmt.Sprintf("FROST-Server's CONNACK has code %d", byte(r))
}

// connectBroker opens a connection to FROST-Server. Its keep alive is 0, as clients that only publish send nothing that
// goes there: the gate watches its clients' keep alive itself.
func (g *Gate) connectBroker(id string, clean bool, identity auth.Identity) (broker *peer, sessionPresent bool, err error) {
	conn, err := net.DialTimeout("tcp", g.config.Broker, dialTime)
	if err != nil {
		return nil, false, err
	}
	broker = newPeer(conn, wire.Buffer(conn), deliveryBytes, brokerVersion)
	_ = conn.SetReadDeadline(time.Now().Add(connackTime))
	if err = broker.send(connectPacket(id, clean, identity)); err == nil {
		sessionPresent, err = readConnack(broker)
	}
	if err != nil {
		_ = conn.Close()
		return nil, false, err
	}
	_ = conn.SetReadDeadline(time.Time{})
	return broker, sessionPresent, nil
}

// connectPacket holds no will and nothing that the client chose but its credentials.
func connectPacket(id string, clean bool, identity auth.Identity) *packets.Packet {
	packet := plain(packets.Connect, 0)
	packet.Connect = packets.ConnectParams{
		ProtocolName: []byte("MQTT"), ClientIdentifier: id, Clean: clean,
		UsernameFlag: identity.Username != nil, Username: identity.Username,
		PasswordFlag: identity.Username != nil, Password: identity.Password,
	}
	return packet
}

func readConnack(broker *peer) (sessionPresent bool, err error) {
	packet, err := broker.read()
	switch {
	case err != nil:
		return false, err
	case packet.FixedHeader.Type != packets.Connack:
		return false, fmt.Errorf("FROST-Server answers CONNECT with %s", wire.Name(packet.FixedHeader.Type))
	case packet.ReasonCode != 0:
		return false, refusedByBroker(packet.ReasonCode)
	default:
		return packet.SessionPresent, nil
	}
}

// discard connects and disconnects with a clean session: FROST-Server forgets the session of the client id, and has
// looked at user and password.
func (g *Gate) discard(id string, identity auth.Identity) error {
	broker, _, err := g.connectBroker(id, true, identity)
	if err == nil {
		broker.close(plain(packets.Disconnect, 0))
	}
	return err
}
