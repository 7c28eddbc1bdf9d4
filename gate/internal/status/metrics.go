// Package status tells how the gate is: metrics, and probes for the kubelet.
package status

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Reason is why something was refused. The set is small and fixed, as each is a time series.
type Reason string

// The reasons.
const (
	BadPacket          Reason = "malformed"
	BadProtocol        Reason = "protocol"
	TooLarge           Reason = "too_large"
	TooSlow            Reason = "too_slow"
	BadVersion         Reason = "version"
	Will               Reason = "will"
	BadMethod          Reason = "authentication_method"
	BadClientID        Reason = "client_id"
	Anonymous          Reason = "anonymous"
	BadCredentials     Reason = "credentials"
	IssuerUnavailable  Reason = "issuer_unavailable"
	BrokerUnavailable  Reason = "broker_unavailable"
	BrokerRefused      Reason = "broker_refused"
	TooManyConnections Reason = "connections"
	TooManyOfSubject   Reason = "connections_per_subject"
	NotAuthorized      Reason = "not_authorized"
	BadTopic           Reason = "topic"
	TooManyFilters     Reason = "subscriptions"
	Retained           Reason = "retain"
	NotOffered         Reason = "not_offered"
	NotStored          Reason = "not_stored"
	BadPayload         Reason = "payload"
)

// Metrics are what /metrics shows. No label holds anything that a client chose.
type Metrics struct {
	registry *prometheus.Registry

	open        *prometheus.GaugeVec
	total       *prometheus.CounterVec
	refused     *prometheus.CounterVec
	published   *prometheus.CounterVec
	publishTime prometheus.Histogram
	delivered   prometheus.Counter
	tooLarge    prometheus.Counter
	expired     prometheus.Counter
}

const namespace = "mqtt_gate"

// NewMetrics returns metrics that are all zero.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		open:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: "connections", Help: "Connections that are open now, past their CONNECT."}, []string{"transport", "version"}),
		total:    prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "connections_total", Help: "Connections that were let in."}, []string{"transport", "version"}),
		refused:  prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "refused_total", Help: "What was refused to clients, by packet and reason."}, []string{"packet", "reason"}),

		published:   prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "published_total", Help: "Publications that were posted to FROST-Server, by what became of them."}, []string{"result"}),
		publishTime: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: "publish_duration_seconds", Help: "How long FROST-Server took to answer a publication.", Buckets: []float64{.002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10}}),
		delivered:   prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "delivered_total", Help: "Messages written to clients."}),
		tooLarge:    prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "dropped_total", Help: "Messages that were larger than their client takes."}),
		expired:     prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "expired_total", Help: "Connections that ended as their token did."}),
	}
	m.registry.MustRegister(m.open, m.total, m.refused, m.published, m.publishTime, m.delivered, m.tooLarge, m.expired,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

var versions = map[byte]string{3: "3.1", 4: "3.1.1", 5: "5"}

// Opened counts a connection and returns what counts its end.
func (m *Metrics) Opened(transport string, version byte) (closed func()) {
	name, ok := versions[version]
	if !ok {
		name = strconv.Itoa(int(version))
	}
	m.total.WithLabelValues(transport, name).Inc()
	open := m.open.WithLabelValues(transport, name)
	open.Inc()
	return open.Dec
}

// Refused counts something that was refused.
func (m *Metrics) Refused(packet string, reason Reason) {
	m.refused.WithLabelValues(packet, string(reason)).Inc()
}

// Published counts a publication that was posted.
func (m *Metrics) Published(result string, took time.Duration) {
	m.published.WithLabelValues(result).Inc()
	m.publishTime.Observe(took.Seconds())
}

// Delivered counts a message that was written to a client.
func (m *Metrics) Delivered() { m.delivered.Inc() }

// Dropped counts a message that its client could not have taken.
func (m *Metrics) Dropped() { m.tooLarge.Inc() }

// Expired counts a connection that ended with its token.
func (m *Metrics) Expired() { m.expired.Inc() }
