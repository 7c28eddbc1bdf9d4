package wire

import (
	"bufio"
	"errors"
	"io"

	"github.com/mochi-mqtt/server/v2/packets"
)

// Source is where packets are read from, byte by byte at their borders.
type Source interface {
	io.Reader
	io.ByteReader
}

// buffered is how many bytes are read ahead: little, as each connection keeps two such buffers while it is idle.
// Bodies of packets that are larger are read past it.
const buffered = 512

// Buffer makes a Source of a connection.
func Buffer(r io.Reader) Source {
	return bufio.NewReaderSize(r, buffered)
}

// Reader reads packets.
type Reader struct {
	source Source
	limit  int // bytes of a whole packet
}

// NewReader reads packets of up to limit bytes, header included.
func NewReader(source Source, limit int) *Reader {
	return &Reader{source: source, limit: limit}
}

// Read returns the next packet, read in the given protocol version, or an *Error, or the error of the source. After
// any error the place of the next packet is not known.
func (r *Reader) Read(version byte) (*packets.Packet, error) {
	first, err := r.source.ReadByte()
	if err != nil {
		return nil, err
	}
	packet := &packets.Packet{ProtocolVersion: version}
	err = r.read(packet, first)
	var wrong *Error
	if errors.As(err, &wrong) {
		wrong.Packet = Name(first >> 4)
	}
	return packet, err
}

func (r *Reader) read(packet *packets.Packet, first byte) error {
	if err := packet.FixedHeader.Decode(first); err != nil {
		return malformed("flags that are not of this packet")
	}
	remaining, err := r.length()
	if err != nil {
		return err
	}
	packet.FixedHeader.Remaining = remaining
	body := make([]byte, remaining)
	if _, err := io.ReadFull(r.source, body); err != nil {
		return err
	}
	if err := check(packet.FixedHeader, packet.ProtocolVersion, body); err != nil {
		return err
	}
	if err := decode(packet, body); err != nil {
		return malformed("packet that the library does not take")
	}
	return nil
}

// length reads the remaining length, so that no memory is taken for more than the limit.
func (r *Reader) length() (int, error) {
	var read [4]byte
	for n := range read {
		b, err := r.source.ReadByte()
		if err != nil {
			return 0, err
		}
		read[n] = b
		if b < 0x80 {
			c := cursor{rest: read[:n+1]}
			length := c.varint()
			if c.err != nil {
				return 0, c.err
			}
			if 2+n+length > r.limit {
				return 0, &Error{Code: TooLarge, Reason: "packet larger than allowed"}
			}
			return length, nil
		}
	}
	return 0, malformed("length is longer than four bytes")
}

func decode(packet *packets.Packet, body []byte) error {
	switch packet.FixedHeader.Type {
	case packets.Connect:
		return packet.ConnectDecode(body)
	case packets.Connack:
		return packet.ConnackDecode(body)
	case packets.Publish:
		return packet.PublishDecode(body)
	case packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp:
		return packet.PubackDecode(body)
	case packets.Subscribe:
		return packet.SubscribeDecode(body)
	case packets.Suback:
		return packet.SubackDecode(body)
	case packets.Unsubscribe:
		return packet.UnsubscribeDecode(body)
	case packets.Unsuback:
		return packet.UnsubackDecode(body)
	case packets.Disconnect:
		return packet.DisconnectDecode(body)
	default: // pings have nothing to decode, and check has refused all others
		return nil
	}
}
