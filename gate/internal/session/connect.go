package session

import (
	"context"
	"errors"
	"math"
	"net"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/auth"
	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
	"sensorthings.city/mqtt-gate/internal/wire"
)

// admit reads a client's CONNECT and connects it to FROST-Server. A client that is refused has been told so, where
// MQTT has words for it, and its connection is closed.
func (g *Gate) admit(client Client) (*session, error) {
	peer := newPeer(client.Conn, client.Source, g.config.Limits.PacketBytes, 0)
	_ = client.Conn.SetReadDeadline(client.Deadline)
	packet, err := peer.read()
	if err == nil && packet.FixedHeader.Type != packets.Connect {
		err = refuse(packet.FixedHeader.Type, status.BadProtocol, translate.ProtocolError) // [MQTT-3.1.0-1]
	}
	if err != nil {
		return nil, refuseFirst(peer, err)
	}
	peer.version = packet.ProtocolVersion
	peer.limit = int(packet.Properties.MaximumPacketSize)
	one := newSession(g, peer, packet)
	if err := one.open(client, packet); err != nil {
		one.release()
		refuseConnect(peer, err)
		return nil, err
	}
	return one, nil
}

// refuseFirst closes a connection whose first packet is none that can be answered. A version that is not known here
// is told so in the way of MQTT 3.1.1, which all versions begin with [MQTT-3.1.2-2].
func refuseFirst(peer *peer, err error) error {
	var timeout net.Error
	var wrong *wire.Error
	switch {
	case errors.As(err, &wrong) && wrong.Code == wire.BadVersion:
		peer.version = 4
		peer.close(connack(4, wrong.Code))
	case errors.As(err, &timeout) && timeout.Timeout():
		err = &fault{packet: wire.Name(packets.Connect), reason: status.TooSlow}
		peer.close(nil)
	default:
		peer.close(nil)
	}
	return err
}

// refuseConnect tells why a CONNECT was refused. An error of the network has no code to tell.
func refuseConnect(peer *peer, err error) {
	var answer *packets.Packet
	if code := asFault(err).code; code != translate.Success {
		answer = connack(peer.version, code)
	}
	peer.close(answer)
}

// connack is the CONNACK of a refusal.
func connack(version, reason byte) *packets.Packet {
	if version < 5 {
		reason = translate.ConnackCode(reason)
	}
	return coded(packets.Connack, 0, reason)
}

// open takes the steps from a CONNECT to a CONNACK, in an order in which nobody can take anything from another before
// having proved who it is.
func (s *session) open(client Client, packet *packets.Packet) error {
	if err := s.allowed(packet); err != nil {
		return err
	}
	if !s.gate.sessions.Take() {
		return refuse(packets.Connect, status.TooManyConnections, translate.Busy)
	}
	s.onRelease(s.gate.sessions.Release)
	if err := s.authenticate(packet); err != nil {
		return err
	}
	if err := s.choose(packet); err != nil {
		return err
	}
	present, err := s.connect()
	if err != nil {
		return err
	}
	s.dropSecrets()
	s.watchExpiry()
	s.watchPassword()
	s.onRelease(s.gate.metrics.Opened(client.Transport, packet.ProtocolVersion))
	if !s.gate.promote(client.Conn, s) {
		return because(translate.Unavailable)
	}
	return s.client.send(s.accepted(packet, present))
}

// allowed refuses what no client may ask for. FROST-Server relays wills to every subscriber, from anyone.
func (s *session) allowed(packet *packets.Packet) error {
	switch {
	case packet.Connect.WillFlag:
		return refuse(packets.Connect, status.Will, translate.NotAuthorized)
	case packet.Properties.AuthenticationMethod != "": // [MQTT-4.12.0-1]
		return refuse(packets.Connect, status.BadMethod, translate.BadAuthenticationMethod)
	default:
		return nil
	}
}

func (s *session) authenticate(packet *packets.Packet) error {
	var credentials auth.Credentials
	if packet.Connect.UsernameFlag {
		credentials.Username = packet.Connect.Username
	}
	if packet.Connect.PasswordFlag {
		credentials.Password = packet.Connect.Password
	}
	identity, err := s.gate.auth.Authenticate(credentials)
	s.identity = identity
	var refused *fault
	switch {
	case err == nil:
		return nil
	case errors.Is(err, auth.ErrAnonymous):
		refused = refuse(packets.Connect, status.Anonymous, translate.NotAuthorized)
	case errors.Is(err, auth.ErrUnavailable):
		refused = refuse(packets.Connect, status.IssuerUnavailable, translate.Unavailable)
	default:
		refused = refuse(packets.Connect, status.BadCredentials, translate.BadCredentials)
	}
	refused.detail = err
	return refused
}

// connect connects to FROST-Server, with the quota of the subject taken.
func (s *session) connect() (present bool, err error) {
	if s.persistent && !s.identity.Verified {
		// FROST-Server looks at the password before anybody is thrown off for it.
		if err := s.gate.discard(s.identity.NewClientID(), s.identity); err != nil {
			return false, brokerFault(err)
		}
		s.identity.Verified = true
	}
	if s.identity.Verified {
		if err := s.takeQuota(); err != nil {
			return false, err
		}
	}
	if err := s.takeName(); err != nil {
		return false, err
	}
	broker, present, err := s.gate.connectBroker(s.brokerID, !s.persistent, s.identity)
	if err != nil {
		return false, brokerFault(err)
	}
	if !s.attach(broker) {
		return false, because(translate.TakenOver)
	}
	if !s.identity.Verified {
		return present, s.takeQuota()
	}
	return present, nil
}

// dropSecrets forgets what is not needed any more: a token takes more memory than the rest of an idle session.
func (s *session) dropSecrets() {
	if !s.persistent && !s.identity.Fickle {
		s.identity.Username, s.identity.Password = nil, nil
	}
	if s.gate.poster == nil {
		s.identity.Authorization = ""
	}
}

func brokerFault(err error) error {
	var code refusedByBroker
	if errors.As(err, &code) {
		refused := refuse(packets.Connect, status.BrokerRefused, translate.ConnackReason(byte(code)))
		refused.detail = err
		return refused
	}
	refused := refuse(packets.Connect, status.BrokerUnavailable, translate.Unavailable)
	refused.detail = err
	return refused
}

func (s *session) takeQuota() error {
	if s.identity.Anonymous() {
		s.limiter = s.gate.subjects.Anonymous()
		return nil
	}
	s.limiter = s.gate.subjects.Take(s.identity.Subject)
	if s.limiter == nil {
		return refuse(packets.Connect, status.TooManyOfSubject, translate.QuotaExceeded)
	}
	s.onRelease(func() { s.gate.subjects.Release(s.identity.Subject) })
	return nil
}

// takeName makes this connection the one of its persistent session, and forgets an earlier session if the client wants
// a new one.
func (s *session) takeName() error {
	if !s.persistent {
		return nil
	}
	ctx, cancel := context.WithTimeout(s.ctx, takeOverTime)
	defer cancel()
	release, err := s.gate.names.take(ctx, s.brokerID, func() { s.end(because(translate.TakenOver)) })
	if err != nil {
		return refuse(packets.Connect, status.BrokerUnavailable, translate.Unavailable)
	}
	s.onRelease(release)
	if s.cleanStart {
		if err := s.gate.discard(s.brokerID, s.identity); err != nil {
			return brokerFault(err)
		}
	}
	return nil
}

const (
	takeOverTime = 10 * time.Second
	forever      = math.MaxUint32 // a Session Expiry Interval that never ends
)
