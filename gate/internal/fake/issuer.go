// Package fake stands in for what the gate talks to, in tests.
package fake

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Issuer is a fake OpenID Connect issuer with discovery and keys, like a realm of Keycloak.
type Issuer struct {
	Server *httptest.Server
	Named  string // the issuer as it calls itself; empty: the server's address

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	fetches int
	down    bool
}

// NewIssuer starts an issuer with one key for signatures and one for encryption, named "sig" and "enc".
func NewIssuer() *Issuer {
	i := &Issuer{}
	i.Server = httptest.NewServer(i)
	i.AddKey("sig", pool()[issuers.Add(1)%int64(len(pool()))], "sig")
	i.AddKey("enc", Key(), "enc")
	return i
}

// pool are a few keys for all issuers, as making them takes long. Issuers that are made one after the other have
// different ones.
var (
	pool    = sync.OnceValue(func() []*rsa.PrivateKey { return []*rsa.PrivateKey{newKey(), newKey(), newKey()} })
	spare   = sync.OnceValue(newKey)
	issuers atomic.Int64
)

// Key returns a key that no issuer signs with.
func Key() *rsa.PrivateKey { return spare() }

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
}

// AddKey publishes a key's public half.
func (i *Issuer) AddKey(id string, key crypto.Signer, use string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, jose.JSONWebKey{KeyID: id, Key: key, Use: use})
}

// DropKeys forgets all keys.
func (i *Issuer) DropKeys() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = nil
}

// SetDown makes the issuer answer 503.
func (i *Issuer) SetDown(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

// Fetches is how often the keys were fetched.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// URL is the issuer as tokens name it.
func (i *Issuer) URL() string {
	if i.Named != "" {
		return i.Named
	}
	return i.Server.URL
}

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL(), "jwks_uri": i.URL() + "/certs"})
	case r.URL.Path == "/certs":
		i.fetches++
		set := jose.JSONWebKeySet{}
		for _, key := range i.keys {
			set.Keys = append(set.Keys, key.Public())
		}
		_ = json.NewEncoder(w).Encode(set)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// Claims are those of an access token of a service account with roles of the client frost, good for a minute.
func (i *Issuer) Claims(subject string, roles ...string) map[string]any {
	return map[string]any{
		"iss": i.URL(), "sub": subject, "aud": []string{"frost", "account"}, "typ": "Bearer",
		"azp": subject, "client_id": subject,
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"resource_access": map[string]any{"frost": map[string]any{"roles": roles}},
	}
}

// Token signs an access token with roles of the client frost.
func (i *Issuer) Token(subject string, roles ...string) string {
	return i.Sign(i.Claims(subject, roles...))
}

// Sign signs claims with the issuer's first key.
func (i *Issuer) Sign(claims map[string]any) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Sign(jose.RS256, i.keys[0].Key, i.keys[0].KeyID, claims)
}

// Sign signs claims with any key.
func Sign(algorithm jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		panic(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return raw
}
