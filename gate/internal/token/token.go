// Package token verifies access tokens of an OpenID Connect issuer, such as a realm of Keycloak.
package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"sensorthings.city/mqtt-gate/internal/config"
)

// ErrUnavailable says that the issuer's keys are not known and can't be had now: nothing is said about the token.
var ErrUnavailable = errors.New("the issuer's keys can't be had")

// skew is how far the issuer's clock may be ahead of this one. It does not lengthen a token's life.
const skew = time.Minute

// Token is what a verified access token says.
type Token struct {
	Issuer  string
	Subject string
	Expires time.Time
	Roles   []string // of the client that stands for FROST-Server
	Service bool     // of a client's own service account, not of a person who has signed in by that client
}

// algorithms are those with a public key that Keycloak signs with. Symmetric ones and "none" are not among them, so a
// public key can't be used as a secret.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
}

// Verifier verifies tokens of one issuer for one client.
type Verifier struct {
	issuer   string
	clientID string
	keys     *keys
}

// New returns a verifier that fetches the issuer's keys when the first token comes.
func New(realm config.Realm) *Verifier {
	from := source{issuer: realm.Issuer, base: realm.Base(), caFile: realm.CAFile}
	return &Verifier{issuer: realm.Issuer, clientID: realm.ClientID, keys: newKeys(from)}
}

// keycloakClaims are those that the standard has no rule for. Keycloak writes "Bearer" into typ of access tokens, "ID"
// and "Refresh" into that of others; azp is the client that the token was given to, and client_id the one whose service
// account it is of.
type keycloakClaims struct {
	Type   string `json:"typ"`
	Party  string `json:"azp"`
	Client string `json:"client_id"`
	Access map[string]struct {
		Roles []string `json:"roles"`
	} `json:"resource_access"`
}

// Verify checks signature, algorithm, issuer, audience, expiry and type. An error that is ErrUnavailable is about the
// issuer, any other about the token.
func (v *Verifier) Verify(raw string) (Token, error) {
	parsed, err := jwt.ParseSigned(raw, algorithms)
	if err != nil {
		return Token{}, err
	}
	key, err := v.keys.forHeader(parsed.Headers[0])
	if err != nil {
		return Token{}, err
	}
	var standard jwt.Claims
	var own keycloakClaims
	if err := parsed.Claims(key, &standard, &own); err != nil {
		return Token{}, err
	}
	if err := v.check(standard, own); err != nil {
		return Token{}, err
	}
	return Token{
		Issuer: standard.Issuer, Subject: standard.Subject, Expires: standard.Expiry.Time(),
		Roles: own.Access[v.clientID].Roles, Service: own.Client != "" && own.Client == own.Party,
	}, nil
}

func (v *Verifier) check(standard jwt.Claims, own keycloakClaims) error {
	now := time.Now()
	expected := jwt.Expected{Issuer: v.issuer, AnyAudience: jwt.Audience{v.clientID}, Time: now}
	if err := standard.ValidateWithLeeway(expected, skew); err != nil {
		return err
	}
	switch {
	case !now.Before(standard.Expiry.Time()): // a token without exp ended in the year 1
		return errors.New("expired")
	case standard.Subject == "":
		return errors.New("no sub")
	case own.Type != "Bearer":
		return fmt.Errorf("typ is %q; allowed: Bearer", own.Type)
	}
	return nil
}
