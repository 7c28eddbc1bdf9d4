package publish

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestOnlyTopicsThatCreateHaveAPath(t *testing.T) {
	for topic, want := range map[string]string{
		"v1.1/Observations":                          "Observations",
		"v1.1/Datastreams(1)/Observations":           "Datastreams(1)/Observations",
		"v1.1/MultiDatastreams(17)/Observations":     "MultiDatastreams(17)/Observations",
		"v1.1/Datastreams('a b')/Observations":       "Datastreams(%27a%20b%27)/Observations",
		"v1.1/Datastreams('it''s')/Observations":     "Datastreams(%27it%27%27s%27)/Observations",
		"v1.1/Datastreams('../../x')/Observations":   "Datastreams(%27..%2F..%2Fx%27)/Observations",
		"v1.1/Datastreams('a?b#c%2F')/Observations":  "Datastreams(%27a%3Fb%23c%252F%27)/Observations",
		"v1.1/Datastreams('a;b')/Observations":       "Datastreams(%27a%3Bb%27)/Observations",
		"v1.1/Observations/":                         "",
		"v1.1/observations":                          "",
		"v1.1/Observations(1)":                       "",
		"v1.1/Things":                                "",
		"v1.1/Datastreams(1)":                        "",
		"v1.1/Datastreams(a)/Observations":           "",
		"v1.1/Datastreams()/Observations":            "",
		"v1.1/Datastreams('')/Observations":          "",
		"v1.1/Datastreams('a'b')/Observations":       "",
		"v1.1/Datastreams('a\n')/Observations":       "",
		"v1.1/Datastreams(1)/../Observations":        "",
		"v1.1/Datastreams(1)/Observations?x":         "",
		"v1.1/Datastreams(1)/Observations\n":         "",
		"v1.1/Things(1)/Datastreams(1)/Observations": "",
		"v1.0/Observations":                          "",
		"v1x1/Observations":                          "",
		"/v1.1/Observations":                         "",
		"Observations":                               "",
		"$SYS/broker/version":                        "",
		"foo/bar":                                    "",
		"":                                           "",
	} {
		if got, ok := Path("v1.1", topic); got != want || ok != (want != "") {
			t.Errorf("Path(%q) = %q, %v, want %q", topic, got, ok, want)
		}
	}
}

func TestOnly201IsStored(t *testing.T) {
	for status, want := range map[int]Result{
		201: Stored, 200: Unavailable, 204: Unavailable, 302: Unavailable, 400: Invalid, 401: Unauthorized,
		403: Unauthorized, 404: NoSuchTopic, 409: Invalid, 413: Invalid, 429: Busy, 500: Unavailable, 503: Unavailable,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
		}))
		if got := NewPoster(server.URL).Post(context.Background(), "Observations", "", nil); got != want {
			t.Errorf("status %d is %s, want %s", status, got, want)
		}
		server.Close()
	}
}

func TestWhatIsPosted(t *testing.T) {
	type seen struct{ method, uri, kind, authorization, body string }
	var got seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, r.Header.Get("Content-Type"), r.Header.Get("Authorization"), string(body)}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	path, _ := Path("v1.1", "v1.1/Datastreams('a/b')/Observations")
	NewPoster(server.URL+"/FROST-Server/v1.1").Post(context.Background(), path, "Bearer x", []byte(`{"result": 1}`))
	want := seen{"POST", "/FROST-Server/v1.1/Datastreams(%27a%2Fb%27)/Observations", "application/json", "Bearer x", `{"result": 1}`}
	if got != want {
		t.Errorf("posted %+v, want %+v", got, want)
	}
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	if got := NewPoster(server.URL).Post(context.Background(), "Observations", "", nil); got != Unavailable {
		t.Errorf("result %s", got)
	}
}
