package publish

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Result is what became of a publication.
type Result string

// The results. Only Stored is one that may be acknowledged.
const (
	Stored       Result = "stored"       // 201
	Unauthorized Result = "unauthorized" // 401, 403
	NoSuchTopic  Result = "no_such_topic"
	Invalid      Result = "invalid"     // any other 4xx
	Busy         Result = "busy"        // 429
	Unavailable  Result = "unavailable" // 5xx, redirects, no answer, and whatever else is not 201
)

const (
	// answerTime is how long a client waits for one publication at most: its socket is not read meanwhile.
	answerTime = 10 * time.Second
	// connections to the HTTP module at most, at once. Publications beyond wait within their answerTime.
	connections = 64
	// drained is how much of an answer is read so that its connection can be used again.
	drained = 4096
)

// Poster posts to FROST-Server's HTTP module.
type Poster struct {
	base   string
	client *http.Client
}

// NewPoster returns a poster to collections below base, such as http://frost:8080/FROST-Server/v1.1.
func NewPoster(base string) *Poster {
	transport := &http.Transport{
		Proxy:               nil, // credentials go to the address that is configured and to no other
		MaxConnsPerHost:     connections,
		MaxIdleConnsPerHost: connections,
		IdleConnTimeout:     60 * time.Second,
		DisableCompression:  true,
		WriteBufferSize:     2048,
		ReadBufferSize:      2048,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Poster{base: base, client: &http.Client{Transport: transport, CheckRedirect: stay, Timeout: answerTime}}
}

// Post creates an entity at a path that Path returned, with the client's own credentials: the value of the header
// Authorization, or nothing.
func (p *Poster) Post(ctx context.Context, path, authorization string, body []byte) Result {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+"/"+path, bytes.NewReader(body))
	if err != nil {
		return Unavailable
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "sensorthings-mqtt-gate")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return Unavailable
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, drained)
	return result(answer.StatusCode)
}

func result(status int) Result {
	switch {
	case status == http.StatusCreated:
		return Stored
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return Unauthorized
	case status == http.StatusNotFound:
		return NoSuchTopic
	case status == http.StatusTooManyRequests:
		return Busy
	case status >= 400 && status < 500:
		return Invalid
	default:
		return Unavailable
	}
}
