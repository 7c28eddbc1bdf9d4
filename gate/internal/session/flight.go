package session

import (
	"math"
	"sync"

	"github.com/mochi-mqtt/server/v2/packets"
)

// stage is what a delivery of FROST-Server waits for.
type stage byte

const (
	unknown     stage = iota
	wantPuback        // of the client
	wantPubrec        // of the client
	wantPubcomp       // of the client
	absorbed          // the client is out of it; FROST-Server's PUBREL is answered by the gate
)

// flight are the deliveries of quality of service 1 and 2 that are under way, by FROST-Server's packet ids. A client's
// acknowledgement is passed on only if it belongs to one of them.
type flight struct {
	mu      sync.Mutex
	changed sync.Cond
	maximum int // of those that the client has to acknowledge (Receive Maximum)
	waiting int
	ended   bool
	stages  map[uint16]stage
}

// start sets the client's Receive Maximum; one that is absent is 65,535 (MQTT 5, section 3.1.2.11.3).
func (f *flight) start(receiveMaximum uint16) {
	f.changed.L = &f.mu
	f.maximum = int(receiveMaximum)
	if receiveMaximum == 0 {
		f.maximum = math.MaxUint16
	}
}

// begin enters a delivery before it is sent, and says whether it is under way already: Moquette sends again what is
// not acknowledged within seconds. It waits while the client has as many as it takes [MQTT-3.3.4-9].
func (f *flight) begin(id uint16, qos byte) (again bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.stages[id] == unknown && f.waiting >= f.maximum && !f.ended {
		f.changed.Wait()
	}
	if f.stages[id] != unknown {
		return true
	}
	next := wantPuback
	if qos == 2 {
		next = wantPubrec
	}
	f.set(id, next)
	return false
}

// acknowledge handles a client's PUBACK, PUBREC or PUBCOMP and says whether it goes to FROST-Server. A PUBREC that
// says no ends the delivery for the client (MQTT 5, section 4.3.3), but FROST-Server has no ear for that.
func (f *flight) acknowledge(packet byte, id uint16, refused bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch at := f.stages[id]; {
	case packet == packets.Puback && at == wantPuback, packet == packets.Pubcomp && at == wantPubcomp:
		f.set(id, unknown)
	case packet == packets.Pubrec && at == wantPubrec && refused:
		f.set(id, absorbed)
	case packet == packets.Pubrec && (at == wantPubrec || at == wantPubcomp):
		f.set(id, wantPubcomp)
	default:
		return false
	}
	return true
}

// absorb takes a delivery away from the client, which can't have it.
func (f *flight) absorb(id uint16, qos byte) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if qos == 2 {
		f.set(id, absorbed)
	} else {
		f.set(id, unknown)
	}
}

// release handles FROST-Server's PUBREL and says whether it goes to the client. One that is not known here belongs to
// a session that began on an earlier connection.
func (f *flight) release(id uint16) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.stages[id] == absorbed {
		f.set(id, unknown)
		return false
	}
	f.set(id, wantPubcomp)
	return true
}

// end wakes what waits.
func (f *flight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.changed.Broadcast()
}

func (f *flight) set(id uint16, next stage) {
	f.waiting += counts(next) - counts(f.stages[id])
	if next == unknown {
		delete(f.stages, id)
	} else {
		if f.stages == nil {
			f.stages = map[uint16]stage{}
		}
		f.stages[id] = next
	}
	f.changed.Broadcast()
}

// counts is 1 for a delivery that the client has to acknowledge.
func counts(at stage) int {
	if at == unknown || at == absorbed {
		return 0
	}
	return 1
}

// idSet is a set of packet ids that takes no memory while it is empty and never more than 8 KiB.
type idSet struct {
	bits *[1 << 16 / 64]uint64
	size int
}

func (s *idSet) has(id uint16) bool {
	return s.bits != nil && s.bits[id/64]&(1<<(id%64)) != 0
}

func (s *idSet) add(id uint16) {
	if s.bits == nil {
		s.bits = new([1 << 16 / 64]uint64)
	}
	if !s.has(id) {
		s.bits[id/64] |= 1 << (id % 64)
		s.size++
	}
}

func (s *idSet) remove(id uint16) {
	if s.has(id) {
		s.bits[id/64] &^= 1 << (id % 64)
		s.size--
	}
	if s.size == 0 {
		s.bits = nil
	}
}
