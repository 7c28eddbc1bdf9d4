package token

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	// refreshAfter is how old keys may get before they are fetched again, so that a key the issuer withdrew is not
	// taken for ever.
	refreshAfter = 10 * time.Minute
	// retryAfter is the least time between two fetches, so that tokens with made-up key ids are no way to make the
	// gate ask the issuer all the time.
	retryAfter = 5 * time.Second
)

// keys are an issuer's public keys. Once fetched they stay usable while the issuer is down.
type keys struct {
	fetch func() ([]jose.JSONWebKey, error)
	now   func() time.Time

	fetching sync.Mutex // held during a fetch: clients that need its outcome wait for it, others don't

	mu      sync.Mutex
	known   []jose.JSONWebKey
	fetched time.Time // when known came
	tried   time.Time // when a fetch last began
}

func newKeys(from source) *keys {
	return &keys{fetch: from.fetch, now: time.Now}
}

// forHeader returns the key that a token names. Keys that come along in the token's own header are never looked at.
func (k *keys) forHeader(header jose.Header) (*jose.JSONWebKey, error) {
	if header.KeyID == "" {
		return nil, errors.New("no kid")
	}
	key, stale := k.find(header.KeyID)
	if key == nil {
		k.refresh()
		key, _ = k.find(header.KeyID)
	} else if stale {
		go k.refresh()
	}
	switch {
	case key == nil && k.lastFetchFailed():
		return nil, ErrUnavailable
	case key == nil:
		return nil, errors.New("kid that the issuer does not have")
	case key.Algorithm != "" && key.Algorithm != header.Algorithm:
		return nil, fmt.Errorf("the key is for %s, not for %s", key.Algorithm, header.Algorithm)
	}
	return key, nil
}

func (k *keys) find(id string) (key *jose.JSONWebKey, stale bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.known, func(key jose.JSONWebKey) bool { return key.KeyID == id })
	if i < 0 {
		return nil, false
	}
	return &k.known[i], k.now().Sub(k.fetched) >= refreshAfter
}

func (k *keys) lastFetchFailed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.fetched.Before(k.tried)
}

// refresh fetches the keys, unless that was done or tried just now.
func (k *keys) refresh() {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	if !k.begin() {
		return
	}
	fresh, err := k.fetch()
	if err != nil {
		slog.Warn("The issuer's keys could not be fetched; those that are known stay in use.", "error", err)
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known, k.fetched = fresh, k.tried
}

func (k *keys) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now().Sub(k.tried) < retryAfter {
		return false
	}
	k.tried = k.now()
	return true
}
