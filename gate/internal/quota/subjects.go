package quota

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepAfter is the number of subjects at which those are looked for that can be forgotten.
const sweepAfter = 1024

// Subjects keeps the quotas of those who sign in: how many connections, and how often they may publish on all of them
// together.
type Subjects struct {
	connections int
	perSecond   rate.Limit
	burst       int

	mu    sync.Mutex
	known map[string]*subject
	sweep int
}

type subject struct {
	connections int
	limiter     *rate.Limiter
}

// NewSubjects returns quotas of so many connections and so many publications each.
func NewSubjects(connections int, perSecond float64, burst int) *Subjects {
	return &Subjects{
		connections: connections, perSecond: rate.Limit(perSecond), burst: burst,
		known: map[string]*subject{}, sweep: sweepAfter,
	}
}

// Anonymous returns the limiter of one connection that nobody signed in on.
func (s *Subjects) Anonymous() *rate.Limiter {
	return rate.NewLimiter(s.perSecond, s.burst)
}

// Take counts one more connection of a subject and returns the limiter that all of its connections share, or nil if it
// has too many.
func (s *Subjects) Take(name string) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.known[name]
	if one == nil {
		s.forget()
		one = &subject{limiter: s.Anonymous()}
		s.known[name] = one
	}
	if one.connections >= s.connections {
		return nil
	}
	one.connections++
	return one.limiter
}

// Release counts one connection of a subject less. Its limiter stays, or connecting anew would be a way round it.
func (s *Subjects) Release(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[name].connections--
}

// forget drops subjects without a connection whose limiter is full again: a new one would be no different. What is left
// is bounded by the connections and by those who published within the time that a limiter takes to fill.
func (s *Subjects) forget() {
	if len(s.known) < s.sweep {
		return
	}
	now := time.Now()
	for name, one := range s.known {
		if one.connections == 0 && one.limiter.TokensAt(now) >= float64(s.burst) {
			delete(s.known, name)
		}
	}
	s.sweep = max(sweepAfter, 2*len(s.known))
}
