// Package listen accepts clients, over TCP and over WebSocket.
package listen

import (
	"errors"
	"log/slog"
	"net"
	"time"

	"sensorthings.city/mqtt-gate/internal/quota"
	"sensorthings.city/mqtt-gate/internal/session"
	"sensorthings.city/mqtt-gate/internal/wire"
)

// retryTime is the pause after a failed accept, which mostly means that there is no file descriptor left.
const retryTime = 50 * time.Millisecond

// Acceptor leads new connections to a gate.
type Acceptor struct {
	Gate        *session.Gate
	ConnectTime time.Duration // until CONNECT is there, the handshake of a WebSocket included
	Waiting     *quota.Counter
}

// TCP accepts clients that speak MQTT right away, until the listener is closed.
func (a *Acceptor) TCP(listener net.Listener) {
	a.accept(listener, func(conn net.Conn, deadline time.Time) {
		a.Gate.Serve(session.Client{Conn: conn, Source: wire.Buffer(conn), Transport: "tcp", Deadline: deadline})
	})
}

// WebSocket accepts clients that speak MQTT in WebSocket frames, until the listener is closed.
func (a *Acceptor) WebSocket(listener net.Listener) {
	a.accept(listener, func(conn net.Conn, deadline time.Time) {
		_ = conn.SetDeadline(deadline)
		upgraded, err := upgrade(conn)
		if err != nil {
			_ = conn.Close()
			return
		}
		_ = conn.SetDeadline(time.Time{})
		a.Gate.Serve(session.Client{Conn: upgraded, Source: upgraded, Transport: "websocket", Deadline: deadline})
	})
}

// accept serves each connection, or closes it if too many have not sent their CONNECT yet.
func (a *Acceptor) accept(listener net.Listener, serve func(net.Conn, time.Time)) {
	for {
		conn, err := listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			slog.Error("A connection could not be accepted.", "error", err)
			time.Sleep(retryTime)
		case !a.Waiting.Take():
			_ = conn.Close()
		default:
			deadline := time.Now().Add(a.ConnectTime)
			go func() {
				defer a.Waiting.Release()
				serve(conn, deadline)
			}()
		}
	}
}
