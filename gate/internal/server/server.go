// Package server puts the parts of the gate together.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/listen"
	"sensorthings.city/mqtt-gate/internal/quota"
	"sensorthings.city/mqtt-gate/internal/session"
	"sensorthings.city/mqtt-gate/internal/status"
)

const (
	// grace is what publications that are being stored get at the end, and once more what else is stuck: the gate is
	// gone within five seconds.
	grace         = 2 * time.Second
	statusTime    = 10 * time.Second
	statusHeaders = 8 << 10
)

// Server is a gate that listens.
type Server struct {
	MQTT, WebSocket, Status net.Listener // WebSocket is nil if it is not offered

	config  *config.Config
	gate    *session.Gate
	metrics *status.Metrics
}

// Listen opens the ports of a configuration.
func Listen(c *config.Config, log *slog.Logger) (*Server, error) {
	metrics := status.NewMetrics()
	s := &Server{config: c, metrics: metrics, gate: session.NewGate(c, metrics, log)}
	var errs [3]error
	s.MQTT, errs[0] = net.Listen("tcp", c.Listen.MQTT)
	s.Status, errs[1] = net.Listen("tcp", c.Listen.Status)
	if c.Listen.WebSocket != "" {
		s.WebSocket, errs[2] = net.Listen("tcp", c.Listen.WebSocket)
	}
	if err := errors.Join(errs[:]...); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// Run serves until the context ends, and then until all connections have ended or the grace is over.
func (s *Server) Run(ctx context.Context) {
	acceptor := &listen.Acceptor{
		Gate: s.gate, ConnectTime: s.config.Limits.ConnectTime(), Waiting: quota.NewCounter(s.config.Limits.Connections),
	}
	go acceptor.TCP(s.MQTT)
	if s.WebSocket != nil {
		go acceptor.WebSocket(s.WebSocket)
	}
	web := &http.Server{
		Handler: status.Handler(s.config.Broker, s.metrics), ReadHeaderTimeout: statusTime, WriteTimeout: statusTime,
		MaxHeaderBytes: statusHeaders,
	}
	go func() { _ = web.Serve(s.Status) }()
	<-ctx.Done()
	s.close()
	s.gate.Shutdown(grace)
	_ = web.Close()
}

func (s *Server) close() {
	for _, listener := range []net.Listener{s.MQTT, s.WebSocket} {
		if listener != nil {
			_ = listener.Close()
		}
	}
}
