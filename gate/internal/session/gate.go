// Package session leads MQTT clients to FROST-Server, packet by packet: what is not known to be allowed is refused.
package session

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"sensorthings.city/mqtt-gate/internal/auth"
	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/publish"
	"sensorthings.city/mqtt-gate/internal/quota"
	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/wire"
)

// Client is a connection that has been accepted.
type Client struct {
	Conn      net.Conn
	Source    wire.Source
	Transport string // tcp or websocket, for the metrics
	Deadline  time.Time
}

// Gate leads clients to FROST-Server.
type Gate struct {
	config   *config.Config
	auth     *auth.Authenticator
	poster   *publish.Poster // nil: publishing is not offered
	subjects *quota.Subjects
	sessions *quota.Counter
	names    *names
	metrics  *status.Metrics
	refusals *status.Refusals
	lookups  chan struct{} // holds one for each password that is being looked at again

	running sync.WaitGroup
	mu      sync.Mutex
	open    map[net.Conn]*session // nil while a client has not been let in
	closing bool
}

// NewGate returns a gate for a configuration.
func NewGate(c *config.Config, metrics *status.Metrics, log *slog.Logger) *Gate {
	limits := c.Limits
	gate := &Gate{
		config: c, auth: auth.New(c.Auth), names: newNames(), metrics: metrics,
		subjects: quota.NewSubjects(limits.ConnectionsPerSubject, limits.PublishPerSecond, limits.PublishBurst),
		sessions: quota.NewCounter(limits.Connections),
		refusals: status.NewRefusals(metrics, log), open: map[net.Conn]*session{},
		lookups: make(chan struct{}, lookupsAtOnce),
	}
	if c.Publishing != nil {
		gate.poster = publish.NewPoster(c.Publishing.URL)
	}
	return gate
}

// Serve lets a client in or refuses it, and returns: a client that was let in is served on, from goroutines that begin
// with a small stack, as verifying a token has made this one's large.
func (g *Gate) Serve(client Client) {
	if !g.enter(client.Conn) {
		_ = client.Conn.Close()
		return
	}
	one, err := g.admit(client)
	if err != nil {
		g.tell(err)
		g.leave(client.Conn)
		return
	}
	go one.run()
}

// enter takes a connection in, unless the gate is closing.
func (g *Gate) enter(conn net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return false
	}
	g.open[conn] = nil
	g.running.Add(1)
	return true
}

// promote enters the session of a connection, unless the gate is closing.
func (g *Gate) promote(conn net.Conn, one *session) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open[conn] = one
	return !g.closing
}

func (g *Gate) leave(conn net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, conn)
	g.running.Done()
}

// tell counts what was refused.
func (g *Gate) tell(err error) {
	if f := asFault(err); f.reason != "" {
		g.refusals.Tell(f.packet, f.reason, f.detail)
	}
}

// Shutdown ends all connections: those that are storing a publication get the time called grace to acknowledge it. It
// returns when all are gone, or when the time called grace is over once more.
func (g *Gate) Shutdown(grace time.Duration) {
	for _, one := range g.close() {
		one.stop()
	}
	gone := make(chan struct{})
	go func() {
		g.running.Wait()
		close(gone)
	}()
	select {
	case <-gone:
		return
	case <-time.After(grace):
	}
	for _, one := range g.close() {
		go one.end(because(shutdownCode))
	}
	select {
	case <-gone:
	case <-time.After(grace):
	}
}

// close lets nobody in any more, closes connections that have not been let in, and returns the sessions.
func (g *Gate) close() []*session {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closing = true
	var sessions []*session
	for conn, one := range g.open {
		if one == nil {
			_ = conn.Close()
		} else {
			sessions = append(sessions, one)
		}
	}
	return sessions
}
