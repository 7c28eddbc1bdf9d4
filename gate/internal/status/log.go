package status

import (
	"log/slog"

	"golang.org/x/time/rate"
)

// Refusals tells refusals to the metrics, and to the log at level debug. Clients choose how often they are refused, so
// the log takes a bounded number of them.
type Refusals struct {
	metrics *Metrics
	log     *slog.Logger
	limiter *rate.Limiter
}

// NewRefusals returns refusals that reach both.
func NewRefusals(metrics *Metrics, log *slog.Logger) *Refusals {
	return &Refusals{metrics: metrics, log: log, limiter: rate.NewLimiter(10, 50)}
}

// Tell tells of one refusal. The detail must hold nothing secret.
func (r *Refusals) Tell(packet string, reason Reason, detail error) {
	r.metrics.Refused(packet, reason)
	if !r.limiter.Allow() {
		return
	}
	r.log.Debug("Refused.", "packet", packet, "reason", string(reason), "detail", detail)
}
