package server_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// fakeHTTP stands for FROST-Server's HTTP module: it writes down what is posted and answers as told.
type fakeHTTP struct {
	server *httptest.Server

	mu     sync.Mutex
	status int
	hold   chan struct{}
	posts  []post
}

type post struct{ path, authorization, body string }

func newFakeHTTP(t *testing.T) *fakeHTTP {
	f := &fakeHTTP{status: http.StatusCreated}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	return f
}

func (f *fakeHTTP) url() string { return f.server.URL }

func (f *fakeHTTP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.posts = append(f.posts, post{r.RequestURI, r.Header.Get("Authorization"), string(body)})
	status, hold := f.status, f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	w.WriteHeader(status)
}

func (f *fakeHTTP) answer(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
}

// holdAnswers lets no answer go until the function is called.
func (f *fakeHTTP) holdAnswers() func() {
	f.mu.Lock()
	defer f.mu.Unlock()
	hold := make(chan struct{})
	f.hold = hold
	return func() { close(hold) }
}

func (f *fakeHTTP) posted() []post {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]post(nil), f.posts...)
}
