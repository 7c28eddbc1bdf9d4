package status

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, handler http.Handler, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	body, _ := io.ReadAll(recorder.Body)
	return recorder.Code, string(body)
}

func TestBrokerSaysWhetherItsPortTakesConnections(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	handler := Handler(listener.Addr().String(), NewMetrics())
	if code, _ := get(t, handler, "/broker"); code != http.StatusOK {
		t.Errorf("/broker is %d with a broker", code)
	}
	_ = listener.Close()
	if code, _ := get(t, handler, "/broker"); code != http.StatusServiceUnavailable {
		t.Errorf("/broker is %d without a broker", code)
	}
	if code, _ := get(t, handler, "/livez"); code != http.StatusOK {
		t.Errorf("/livez is %d without a broker", code)
	}
	if code, _ := get(t, handler, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("an unknown path is %d", code)
	}
}

func TestMetricsAreShown(t *testing.T) {
	metrics := NewMetrics()
	closed := metrics.Opened("tcp", 4)
	metrics.Opened("websocket", 5)
	closed()
	metrics.Refused("CONNECT", Will)
	metrics.Published("stored", 7*time.Millisecond)
	metrics.Delivered()
	metrics.Dropped()
	metrics.Expired()
	_, text := get(t, Handler("", metrics), "/metrics")
	for _, line := range []string{
		`mqtt_gate_connections{transport="tcp",version="3.1.1"} 0`,
		`mqtt_gate_connections{transport="websocket",version="5"} 1`,
		`mqtt_gate_connections_total{transport="tcp",version="3.1.1"} 1`,
		`mqtt_gate_refused_total{packet="CONNECT",reason="will"} 1`,
		`mqtt_gate_published_total{result="stored"} 1`,
		`mqtt_gate_publish_duration_seconds_bucket{le="0.01"} 1`,
		`mqtt_gate_delivered_total 1`, `mqtt_gate_dropped_total 1`, `mqtt_gate_expired_total 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
}

func TestTheLogOfRefusalsIsBoundedAndTheirCountIsNot(t *testing.T) {
	var text bytes.Buffer
	metrics := NewMetrics()
	refusals := NewRefusals(metrics, slog.New(slog.NewJSONHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	for range 1000 {
		refusals.Tell("CONNECT", Will, errors.New("a will"))
	}
	if n := strings.Count(text.String(), "\n"); n == 0 || n > 100 {
		t.Errorf("%d lines in the log", n)
	}
	if _, shown := get(t, Handler("", metrics), "/metrics"); !strings.Contains(shown, `reason="will"} 1000`) {
		t.Error("not all refusals are counted")
	}
}
