package session

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/wire"
)

const (
	// writeTime is how long one packet may wait for the other side to read. While a client does not read, nothing is
	// read for it from FROST-Server; this ends that before much piles up there.
	writeTime = 60 * time.Second
	// lastTime is how long the last packet of a connection may take.
	lastTime = 500 * time.Millisecond
)

// errTooLarge says that a packet is larger than the other side takes; nothing of it was written.
var errTooLarge = errors.New("packet larger than the client takes")

// peer is one side of a session: the client, or FROST-Server.
type peer struct {
	conn    net.Conn
	reader  *wire.Reader
	version byte
	limit   int // bytes of a packet that it takes; 0: any

	mu     sync.Mutex // held while a packet is written, so that packets never mix
	broken bool       // a packet may have been cut short: nothing can follow
	ended  atomic.Bool
}

func newPeer(conn net.Conn, source wire.Source, limit int, version byte) *peer {
	return &peer{conn: conn, reader: wire.NewReader(source, limit), version: version}
}

// read returns the next packet that the other side sends.
func (p *peer) read() (*packets.Packet, error) {
	return p.reader.Read(p.version)
}

// send writes a packet in the protocol version of the other side.
func (p *peer) send(packet *packets.Packet) error {
	packet.ProtocolVersion = p.version
	bytes, err := wire.Encode(packet)
	if err != nil {
		return err
	}
	if p.limit > 0 && len(bytes) > p.limit {
		return errTooLarge
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.conn.SetWriteDeadline(time.Now().Add(writeTime))
	// Looked at after the deadline was set: close sets the flag first and its own, shorter deadline then.
	if p.ended.Load() {
		return net.ErrClosed
	}
	return p.write(bytes)
}

func (p *peer) write(bytes []byte) error {
	if p.broken {
		return net.ErrClosed
	}
	_, err := p.conn.Write(bytes)
	p.broken = err != nil
	return err
}

// close writes a last packet, if there is one and if it can be written soon, and closes the connection. A write that
// is stuck ends with it.
func (p *peer) close(last *packets.Packet) {
	p.ended.Store(true)
	_ = p.conn.SetWriteDeadline(time.Now().Add(lastTime))
	p.mu.Lock()
	defer p.mu.Unlock()
	if last != nil {
		last.ProtocolVersion = p.version
		if bytes, err := wire.Encode(last); err == nil && (p.limit == 0 || len(bytes) <= p.limit) {
			_ = p.conn.SetWriteDeadline(time.Now().Add(lastTime))
			_ = p.write(bytes)
		}
	}
	_ = p.conn.Close()
}

// plain makes a packet of a type that is nothing but its header and perhaps an id. Inlined, it would put whole packets
// into the stack frames of its callers, and every connection keeps two stacks.
//
//go:noinline
func plain(packet byte, id uint16) *packets.Packet {
	return &packets.Packet{FixedHeader: packets.FixedHeader{Type: packet}, PacketID: id}
}

// coded makes a packet with a reason code, which MQTT 3 leaves out.
func coded(packet byte, id uint16, code byte) *packets.Packet {
	made := plain(packet, id)
	made.ReasonCode = code
	return made
}
