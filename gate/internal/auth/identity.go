// Package auth decides who a client is and what it may do, from the user name and password of its CONNECT.
package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// Identity is who a client is and what it may do.
type Identity struct {
	Subject  string // names the holder of a token or a user; empty: anonymous
	Verified bool   // false if FROST-Server has still to look at the password
	Read     bool
	Create   bool
	Expires  time.Time // zero: never
	Fickle   bool      // a password, which may be changed or taken back while the client is connected

	// Authorization is the header to publish with by HTTP; empty: none.
	Authorization string
	// Username and Password are what FROST-Server is told. A nil user name says that it sees an anonymous client.
	Username, Password []byte
}

// Anonymous says whether nobody has signed in.
func (i Identity) Anonymous() bool { return i.Subject == "" }

// Expired says whether the identity's time is over, by the wall clock.
func (i Identity) Expired() bool {
	return !i.Expires.IsZero() && !time.Now().Before(i.Expires)
}

// subject names the holder of a token, or a user, in a few bytes and without telling anything of them.
func subject(realm, name string) string {
	return digest(realm, name)
}

// The client ids that FROST-Server sees have at most 23 characters [MQTT-3.1.3-5] of 3.1.1. The first characters tell
// the kinds apart, so an id of one kind is never one of another.
const (
	anonymousID  = "anon-"
	randomID     = "once-"
	persistentID = "keep-"
	idLength     = 23
)

// NewClientID makes a client id for one connection. FROST-Server remembers roles by client id and gives them to
// whoever comes with the same one, so no id is ever used by two.
func (i Identity) NewClientID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the process instead
	kind := randomID
	if i.Anonymous() {
		kind = anonymousID
	}
	return clientID(kind, base64.RawURLEncoding.EncodeToString(random[:]))
}

// PersistentClientID makes the client id of a session that outlives its connection. It is the same for the same
// subject and the same own id, and nobody else can have it.
func (i Identity) PersistentClientID(own string) string {
	return clientID(persistentID, digest(i.Subject, own))
}

func clientID(kind, rest string) string {
	return (kind + rest)[:idLength]
}

// digest hashes texts together with their lengths, so that no two lists of texts are alike.
func digest(texts ...string) string {
	hash := sha256.New()
	for _, text := range texts {
		_ = binary.Write(hash, binary.BigEndian, uint64(len(text)))
		hash.Write([]byte(text))
	}
	return base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
}
