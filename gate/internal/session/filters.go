package session

import (
	"hash/maphash"
	"strings"
	"sync"

	"sensorthings.city/mqtt-gate/internal/translate"
)

// filterBytes is the longest topic filter.
const filterBytes = 1024

// filterCode is the code of a filter that no client may subscribe to, or Success. Names that begin with $ are the
// broker's own; $share would give one subscriber's messages to another.
func filterCode(filter string) byte {
	switch {
	case strings.HasPrefix(filter, "$share/"):
		return translate.NoSharedSubscriptions
	case strings.HasPrefix(filter, "$"):
		return translate.NotAuthorized
	case len(filter) > filterBytes, !wellFormed(filter):
		return translate.BadFilter
	default:
		return translate.Success
	}
}

// wellFormed says whether wildcards stand alone in their level, # in the last one [MQTT-4.7.1-2] [MQTT-4.7.1-3], and
// whether there are no control characters, which MQTT allows to refuse (section 1.5.4).
func wellFormed(filter string) bool {
	if strings.ContainsFunc(filter, func(r rune) bool { return r < 0x20 || r == 0x7F }) {
		return false
	}
	levels := strings.Split(filter, "/")
	for i, level := range levels {
		if level != "+" && level != "#" && strings.ContainsAny(level, "+#") {
			return false
		}
		if level == "#" && i < len(levels)-1 {
			return false
		}
	}
	return true
}

// asked stands for the code that FROST-Server gives.
const asked = 0xFF

// pending is a SUBSCRIBE or UNSUBSCRIBE that FROST-Server has still to answer.
type pending struct {
	unsubscribe bool
	codes       []byte   // one for each filter of the client's packet
	filters     []uint64 // hashes of the filters that FROST-Server was asked for
}

// subscriptions keeps to the limit of topic filters, and what is needed to answer for those that were refused. Filters
// are kept as hashes: 1,000 long ones of 1,000 clients would take a gigabyte.
type subscriptions struct {
	limit   int
	resumed bool // there may be subscriptions from an earlier connection

	mu      sync.Mutex
	filters map[uint64]struct{}
	pending map[uint16]pending
}

var seed = maphash.MakeSeed()

// decision is what becomes of the filters of a SUBSCRIBE or UNSUBSCRIBE.
type decision struct {
	codes   []byte   // one for each filter; final if nothing is forwarded
	forward []string // the filters that FROST-Server is asked for, in their order
}

// subscribe decides on each filter. It returns false if the packet id is in use.
func (s *subscriptions) subscribe(id uint16, filters []string, read bool) (decision, bool) {
	return s.enter(id, filters, false, func(filter string, hash uint64) byte {
		code := filterCode(filter)
		_, held := s.filters[hash]
		switch {
		case !read:
			return translate.NotAuthorized
		case code != translate.Success:
			return code
		case !held && len(s.filters) >= s.limit:
			return translate.QuotaExceeded
		}
		s.filters[hash] = struct{}{}
		return asked
	})
}

// unsubscribe decides on each filter. Those that could not have been subscribed to are not passed on.
func (s *subscriptions) unsubscribe(id uint16, filters []string) (decision, bool) {
	return s.enter(id, filters, true, func(filter string, hash uint64) byte {
		_, held := s.filters[hash]
		if filterCode(filter) != translate.Success || (!held && !s.resumed) {
			return translate.NoSubscription
		}
		delete(s.filters, hash)
		return asked
	})
}

func (s *subscriptions) enter(id uint16, filters []string, unsubscribe bool, decide func(string, uint64) byte) (made decision, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, used := s.pending[id]; used {
		return made, false
	}
	if s.filters == nil {
		s.filters, s.pending = map[uint64]struct{}{}, map[uint16]pending{}
	}
	waiting := pending{unsubscribe: unsubscribe}
	for _, filter := range filters {
		hash := maphash.String(seed, filter)
		code := decide(filter, hash)
		made.codes = append(made.codes, code)
		if code == asked {
			made.forward = append(made.forward, filter)
			waiting.filters = append(waiting.filters, hash)
		}
	}
	if len(made.forward) > 0 {
		waiting.codes = made.codes
		s.pending[id] = waiting
	}
	return made, true
}

// full says whether FROST-Server has so many packets to answer that no client in its right mind would send another.
func (s *subscriptions) full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) > s.limit
}

// answer puts FROST-Server's codes into their places. It returns nil if they don't answer anything.
func (s *subscriptions) answer(id uint16, unsubscribe bool, codes []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, ok := s.pending[id]
	if !ok || waiting.unsubscribe != unsubscribe || (!unsubscribe && len(codes) != len(waiting.filters)) {
		return nil
	}
	delete(s.pending, id)
	next := 0
	for i, code := range waiting.codes {
		switch {
		case code != asked:
		case unsubscribe:
			waiting.codes[i] = translate.Success
		default:
			waiting.codes[i] = codes[next]
			if codes[next] == translate.Unspecified {
				delete(s.filters, waiting.filters[next])
			}
			next++
		}
	}
	return waiting.codes
}
