package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	fetchTime  = 5 * time.Second
	answerSize = 1 << 20
)

// source is where an issuer's keys are fetched.
type source struct {
	issuer string // as tokens name it
	base   string // as it is reached
	caFile string
}

// fetch asks for the discovery document and then for the keys that it leads to. Each fetch has a client of its own: they
// are rare, and the CA file may have changed.
func (s source) fetch() ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), fetchTime)
	defer cancel()
	client, err := s.client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := get(ctx, client, strings.TrimSuffix(s.base, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return nil, err
	}
	if document.Issuer != s.issuer {
		return nil, fmt.Errorf("issuer is %q, not %q as configured", document.Issuer, s.issuer)
	}
	var set jose.JSONWebKeySet
	if err := get(ctx, client, s.reachable(document.Keys), &set); err != nil {
		return nil, err
	}
	return usable(set.Keys), nil
}

// reachable moves an address below the issuer to where the issuer is reached: Keycloak names its public host in the
// discovery document unless it is told otherwise.
func (s source) reachable(address string) string {
	if rest, ok := strings.CutPrefix(address, s.issuer); ok {
		return s.base + rest
	}
	return address
}

// usable keeps the public keys that are for signatures; Keycloak publishes keys for encryption too.
func usable(all []jose.JSONWebKey) []jose.JSONWebKey {
	var kept []jose.JSONWebKey
	for _, key := range all {
		if key.KeyID != "" && key.Valid() && key.IsPublic() && (key.Use == "sig" || key.Use == "") {
			kept = append(kept, key)
		}
	}
	return kept
}

func (s source) client() (*http.Client, error) {
	transport := &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if s.caFile != "" {
		pem, err := os.ReadFile(s.caFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", s.caFile)
		}
	}
	return &http.Client{Transport: transport}, nil
}

func get(ctx context.Context, client *http.Client, address string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", address, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, answerSize)).Decode(into)
}
