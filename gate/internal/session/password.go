package session

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
)

const (
	// lookupsAtOnce bounds what FROST-Server and its database are asked beside those who connect.
	lookupsAtOnce = 4
	// refusalsInARow end a connection. One alone does not: FROST-Server refuses everybody while its database is away.
	refusalsInARow = 3
	// hurry is how much sooner a password that was refused is looked at again.
	hurry = 4
)

// watchPassword has FROST-Server look at a user's password again and again: it may have been changed or taken back. A
// token says itself when it ends.
func (s *session) watchPassword() {
	if s.identity.Fickle {
		s.lookLater(s.gate.config.Limits.VerifyTime(), 0)
	}
}

// lookLater spreads clients that came together over half of the time.
func (s *session) lookLater(wait time.Duration, refusals int) {
	spread := wait*3/4 + rand.N(wait/2)
	s.timer.Store(time.AfterFunc(spread, func() { s.lookAgain(refusals) }))
}

// lookAgain connects as the client did, under a client id that nobody has, and disconnects.
func (s *session) lookAgain(refusals int) {
	select {
	case s.gate.lookups <- struct{}{}:
		defer func() { <-s.gate.lookups }()
	case <-s.ctx.Done():
		return
	}
	err := s.gate.discard(s.identity.NewClientID(), s.identity)
	wait := s.gate.config.Limits.VerifyTime()
	switch {
	case s.ctx.Err() != nil:
		return
	case !passwordRefused(err):
		// A broker that is not there says nothing about it, and tells the client nothing either.
		s.lookLater(wait, 0)
	case refusals+1 < refusalsInARow:
		s.lookLater(wait/hurry, refusals+1)
	default:
		refused := refuse(packets.Connect, status.BadCredentials, translate.NotAuthorized)
		refused.detail = err
		s.end(refused)
	}
}

func passwordRefused(err error) bool {
	var code refusedByBroker
	if !errors.As(err, &code) {
		return false
	}
	reason := translate.ConnackReason(byte(code))
	return reason == translate.BadCredentials || reason == translate.NotAuthorized
}
