package token

import (
	"errors"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// clock is a set of keys whose time a test sets.
func clock(fetch func() ([]jose.JSONWebKey, error)) (*keys, *time.Time) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return &keys{fetch: fetch, now: func() time.Time { return now }}, &now
}

func named(id string) []jose.JSONWebKey { return []jose.JSONWebKey{{KeyID: id}} }

func TestNewKeysAreFetchedWhenATokenNamesThem(t *testing.T) {
	current := "old"
	k, now := clock(func() ([]jose.JSONWebKey, error) { return named(current), nil })
	if _, err := k.forHeader(jose.Header{KeyID: "old"}); err != nil {
		t.Fatal(err)
	}
	current = "new"
	*now = now.Add(retryAfter)
	if _, err := k.forHeader(jose.Header{KeyID: "new"}); err != nil {
		t.Error(err)
	}
	if key, _ := k.find("old"); key != nil {
		t.Error("a key that the issuer withdrew is kept")
	}
}

func TestOldKeysAreFetchedAgainWithoutKeepingAnybodyWaiting(t *testing.T) {
	fetched := make(chan struct{}, 2)
	current := "old"
	k, now := clock(func() ([]jose.JSONWebKey, error) {
		fetched <- struct{}{}
		return named(current), nil
	})
	_, _ = k.forHeader(jose.Header{KeyID: "old"})
	<-fetched
	*now = now.Add(refreshAfter)
	if _, err := k.forHeader(jose.Header{KeyID: "old"}); err != nil {
		t.Error(err)
	}
	select {
	case <-fetched:
	case <-time.After(time.Second):
		t.Error("old keys are not fetched again")
	}
}

func TestAKeyIsGoodForItsOwnAlgorithmOnly(t *testing.T) {
	k, _ := clock(func() ([]jose.JSONWebKey, error) { return []jose.JSONWebKey{{KeyID: "a", Algorithm: "RS256"}}, nil })
	if _, err := k.forHeader(jose.Header{KeyID: "a", Algorithm: "PS256"}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if _, err := k.forHeader(jose.Header{KeyID: "a", Algorithm: "RS256"}); err != nil {
		t.Error(err)
	}
}
