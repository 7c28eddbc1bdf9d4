package auth

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"

	"sensorthings.city/mqtt-gate/internal/config"
	"sensorthings.city/mqtt-gate/internal/token"
)

// The reasons for which a CONNECT is refused.
var (
	ErrAnonymous   = errors.New("anonymous clients are not let in")
	ErrCredentials = errors.New("the credentials are not good")
	ErrUnavailable = errors.New("whether the credentials are good can't be said now")
)

// The roles that count here: FROST-Server's own names for them.
const (
	readRole   = "read"
	createRole = "create"
)

// Credentials are those of a CONNECT. Nil says that the field was absent, which is not the same as empty.
type Credentials struct {
	Username, Password []byte
}

// Authenticator says who clients are.
type Authenticator struct {
	config   config.Auth
	verifier *token.Verifier // nil unless tokens are taken
}

// New returns the authenticator that a configuration asks for.
func New(c config.Auth) *Authenticator {
	a := &Authenticator{config: c}
	if c.Type == config.Keycloak {
		a.verifier = token.New(*c.Keycloak)
	}
	return a
}

// Authenticate returns who a client is, or one of the errors above.
func (a *Authenticator) Authenticate(c Credentials) (Identity, error) {
	switch {
	case a.config.Type == config.None:
		return Identity{Verified: true, Read: true, Create: true}, nil
	case c.Password == nil && !a.config.AnonymousRead:
		return Identity{}, ErrAnonymous
	case c.Password == nil:
		// A user name alone, which MQTT allows, makes FROST-Server close the connection with an exception: it is left out.
		return Identity{Verified: true, Read: true}, nil
	case a.config.Type == config.Basic:
		return basic(c)
	default:
		return a.bearer(c)
	}
}

// basic leaves the password to FROST-Server, and with it what the user may do.
func basic(c Credentials) (Identity, error) {
	// HTTP's Basic has no way to write a user name with a colon: it would be that of another user.
	if len(c.Username) == 0 || bytes.IndexByte(c.Username, ':') >= 0 {
		return Identity{}, ErrCredentials
	}
	pair := append(append(slices.Clone(c.Username), ':'), c.Password...)
	return Identity{
		Subject: subject("basic", string(c.Username)), Read: true, Create: true, Fickle: true,
		Authorization: "Basic " + base64.StdEncoding.EncodeToString(pair),
		Username:      c.Username, Password: c.Password,
	}, nil
}

func (a *Authenticator) bearer(c Credentials) (Identity, error) {
	raw := string(c.Password)
	verified, err := a.verifier.Verify(raw)
	switch {
	case errors.Is(err, token.ErrUnavailable):
		return Identity{}, ErrUnavailable
	case err != nil:
		return Identity{}, errors.Join(ErrCredentials, err)
	}
	identity := Identity{
		Subject: subject(verified.Issuer, verified.Subject), Verified: true, Expires: verified.Expires,
		Read: a.config.AnonymousRead || slices.Contains(verified.Roles, readRole),
		// Keycloak gives a client with full scope all roles of whoever signs in there: such a token would let any
		// application of the realm publish in the name of its users.
		Create:        verified.Service && slices.Contains(verified.Roles, createRole),
		Authorization: "Bearer " + raw,
	}
	if !a.config.AnonymousRead {
		// FROST-Server refuses SUBSCRIBE to clients it does not know. Else it is told nothing, and can't remember roles.
		identity.Username, identity.Password = c.Username, c.Password
		if identity.Username == nil {
			identity.Username = []byte("token") // MQTT 3.1.1 has no password without a user name
		}
	}
	return identity, nil
}
