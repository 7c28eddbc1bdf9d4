package session

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/time/rate"

	"sensorthings.city/mqtt-gate/internal/auth"
	"sensorthings.city/mqtt-gate/internal/translate"
)

const (
	shutdownCode = translate.ShuttingDown
	// expiryStep is the longest wait for a token's end. Timers don't follow the wall clock when it is set.
	expiryStep = 10 * time.Second
)

// session is one client that was let in, or is about to be. Two goroutines serve it: one reads from the client, one
// from FROST-Server.
type session struct {
	gate           *Gate
	client, broker *peer
	identity       auth.Identity
	limiter        *rate.Limiter
	keepAlive      time.Duration // 0: the client may be silent as long as it likes

	brokerID, assignedID string
	persistent           bool // FROST-Server keeps the session
	cleanStart           bool // an earlier session is forgotten first
	forget               bool // FROST-Server is to forget the session when the connection ends
	keptByClient         bool // the client asked for a session that outlives the connection

	subscriptions subscriptions
	flight        flight
	received      idSet // PUBLISHes of quality of service 2 that wait for their PUBREL

	mu     sync.Mutex // guards the writing of broker against an early end
	closed bool

	ctx      context.Context
	cancel   context.CancelFunc
	ending   sync.Once
	stopping atomic.Bool
	timer    atomic.Pointer[time.Timer] // of what ends the connection without a packet
	atEnd    []func()                   // what to give back, last first
}

func newSession(g *Gate, client *peer, packet *packets.Packet) *session {
	s := &session{
		gate: g, client: client,
		// One and a half times the keep alive [MQTT-3.1.2-22].
		keepAlive: time.Duration(packet.Connect.Keepalive) * 1500 * time.Millisecond,
	}
	s.subscriptions.limit = g.config.Limits.Subscriptions
	s.flight.start(packet.Properties.ReceiveMaximum)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// attach takes the connection to FROST-Server, unless the session has ended already.
func (s *session) attach(broker *peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		broker.close(plain(packets.Disconnect, 0))
		return false
	}
	s.broker = broker
	return true
}

// detach closes the connection to FROST-Server, and the one that attach would bring.
func (s *session) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broker != nil && !s.closed {
		s.broker.close(plain(packets.Disconnect, 0))
	}
	s.closed = true
}

func (s *session) onRelease(do func()) { s.atEnd = append(s.atEnd, do) }

// release gives back what the session has taken.
func (s *session) release() {
	s.cancel()
	s.detach()
	if timer := s.timer.Load(); timer != nil {
		timer.Stop()
	}
	for i := len(s.atEnd) - 1; i >= 0; i-- {
		s.atEnd[i]()
	}
}

// watchExpiry ends the connection with its token, by the wall clock.
func (s *session) watchExpiry() {
	if s.identity.Expires.IsZero() || s.ctx.Err() != nil {
		return
	}
	if s.identity.Expired() {
		s.end(because(translate.Expired))
		return
	}
	wait := min(time.Until(s.identity.Expires), expiryStep)
	s.timer.Store(time.AfterFunc(wait, s.watchExpiry))
}

// run serves the session until it ends.
func (s *session) run() {
	var fromBroker sync.WaitGroup
	fromBroker.Go(func() { s.end(s.serveBroker()) })
	s.end(s.serveClient())
	fromBroker.Wait()
	if s.forget {
		_ = s.gate.discard(s.brokerID, s.identity) // FROST-Server may be gone, and the session with it
	}
	s.release()
	s.gate.leave(s.client.conn)
}

// end ends the connection, once. A client of MQTT 5 is told why, if there is a reason to tell.
func (s *session) end(cause error) {
	s.ending.Do(func() {
		f := asFault(cause)
		s.cancel()
		s.flight.end()
		s.gate.tell(f)
		if f.code == translate.Expired {
			s.gate.metrics.Expired()
		}
		var last *packets.Packet
		if s.client.version == 5 && f.code != translate.Success {
			last = coded(packets.Disconnect, 0, f.code)
		}
		s.client.close(last)
		s.detach()
	})
}

// stop ends the connection after the packet that is being handled.
func (s *session) stop() {
	s.stopping.Store(true)
	_ = s.client.conn.SetReadDeadline(time.Now())
}

// serveClient handles what the client sends, one packet after the other, until something is wrong.
func (s *session) serveClient() error {
	for {
		packet, err := s.nextFromClient()
		if err != nil {
			return err
		}
		if s.identity.Expired() {
			return because(translate.Expired)
		}
		if err := s.fromClient(packet); err != nil {
			return err
		}
	}
}

func (s *session) nextFromClient() (*packets.Packet, error) {
	var deadline time.Time
	if s.keepAlive > 0 {
		deadline = time.Now().Add(s.keepAlive)
	}
	_ = s.client.conn.SetReadDeadline(deadline)
	// Looked at after the deadline was set: stop sets the flag first and its own deadline then.
	if s.stopping.Load() {
		return nil, because(shutdownCode)
	}
	packet, err := s.client.read()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		if s.stopping.Load() {
			return nil, because(shutdownCode)
		}
		return nil, because(translate.KeepAliveTimeout)
	}
	return packet, err
}

// errDisconnected says that the client has taken its leave.
var errDisconnected = errors.New("the client disconnected")
