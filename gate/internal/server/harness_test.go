package server_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/fake"
	"sensorthings.city/mqtt-gate/internal/server"
)

// setup is one gate with fakes around it: a broker that writes down what reaches it, FROST-Server's HTTP module, and
// an issuer of tokens.
type setup struct {
	t         *testing.T
	config    map[string]any
	server    *server.Server
	broker    *fakeBroker
	http      *fakeHTTP
	issuer    *fake.Issuer
	stop      context.CancelFunc
	stopped   chan struct{}
	logged    *syncBuffer
	brokerURL string
}

type change func(*setup)

func auth(value map[string]any) change {
	return func(s *setup) { s.config["auth"] = value }
}

func noAuth(s *setup) { s.config["auth"] = map[string]any{"type": "None"} }

func basicAuth(anonymousRead bool) change {
	return auth(map[string]any{"type": "Basic", "anonymousRead": anonymousRead})
}

func limit(name string, value any) change {
	return func(s *setup) { s.config["limits"].(map[string]any)[name] = value }
}

func noPublishing(s *setup) { delete(s.config, "publishing") }

func noAnonymousRead(s *setup) { s.config["auth"].(map[string]any)["anonymousRead"] = false }

func otherBroker(address string) change {
	return func(s *setup) { s.brokerURL = address }
}

// start starts a gate that takes tokens, lets anonymous clients read and has publishing, as changed.
func start(t *testing.T, changes ...change) *setup {
	t.Helper()
	s := &setup{t: t, broker: newFakeBroker(t), http: newFakeHTTP(t), issuer: fake.NewIssuer(), logged: &syncBuffer{}}
	t.Cleanup(s.issuer.Server.Close)
	s.brokerURL = s.broker.address()
	s.config = map[string]any{
		"listen": map[string]any{"mqtt": "127.0.0.1:0", "webSocket": "127.0.0.1:0", "status": "127.0.0.1:0"},
		"auth": map[string]any{"type": "Keycloak", "anonymousRead": true,
			"keycloak": map[string]any{"issuer": s.issuer.URL(), "clientId": "frost"}},
		"publishing": map[string]any{"url": s.http.url() + "/FROST-Server/v1.1", "topicPrefix": "v1.1"},
		"limits":     map[string]any{},
	}
	for _, apply := range changes {
		apply(s)
	}
	s.config["broker"] = s.brokerURL
	text, _ := json.Marshal(s.config)
	loaded, err := config.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(s.logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if s.server, err = server.Listen(loaded, log); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop, s.stopped = stop, make(chan struct{})
	go func() {
		s.server.Run(ctx)
		close(s.stopped)
	}()
	t.Cleanup(func() {
		stop()
		<-s.stopped
	})
	return s
}

func (s *setup) metrics() string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.server.Status.Addr().String() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(text)
}

// metric waits for a line in /metrics.
func (s *setup) metric(line string) {
	s.t.Helper()
	eventually(s.t, "metric "+line, func() bool { return strings.Contains(s.metrics(), line+"\n") })
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("this did not come: %s", what)
		}
	}
}

type syncBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
