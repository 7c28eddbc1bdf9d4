package status

import (
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// brokerTime is how long the broker may take to accept a connection.
const brokerTime = 2 * time.Second

// Handler answers /livez, /broker and /metrics.
func Handler(broker string, metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /broker", func(w http.ResponseWriter, r *http.Request) {
		dialer := net.Dialer{Timeout: brokerTime}
		connection, err := dialer.DialContext(r.Context(), "tcp", broker)
		if err != nil {
			http.Error(w, "FROST-Server's MQTT port takes no connection", http.StatusServiceUnavailable)
			return
		}
		_ = connection.Close()
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics.registry, promhttp.HandlerOpts{}))
	return mux
}
