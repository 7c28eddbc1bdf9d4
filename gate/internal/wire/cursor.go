package wire

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// cursor walks over the bytes of a packet. The first fault stays; after it every value is zero.
type cursor struct {
	rest []byte
	err  *Error
}

func (c *cursor) fail(err *Error) {
	if c.err == nil {
		c.err = err
	}
	c.rest = nil
}

func (c *cursor) take(n int) []byte {
	if n > len(c.rest) {
		c.fail(malformed("packet ends within a field"))
		return nil
	}
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) u8() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// binary reads two bytes of length and as many bytes.
func (c *cursor) binary() []byte {
	return c.take(int(c.u16()))
}

// text reads a UTF-8 string without NUL [MQTT-1.5.4-1] [MQTT-1.5.4-2].
func (c *cursor) text() []byte {
	text := c.binary()
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		c.fail(malformed("text is not UTF-8"))
	}
	return text
}

// varint reads a variable byte integer of up to four bytes, in its shortest form [MQTT-1.5.5-1].
func (c *cursor) varint() int {
	value := 0
	for shift := 0; shift < 28; shift += 7 {
		b := c.u8()
		value |= int(b&0x7F) << shift
		if b < 0x80 {
			if b == 0 && shift > 0 {
				c.fail(malformed("length is padded"))
			}
			return value
		}
	}
	c.fail(malformed("length is longer than four bytes"))
	return 0
}

// packetID reads a packet identifier, which is never zero [MQTT-2.2.1-3].
func (c *cursor) packetID() uint16 {
	id := c.u16()
	if id == 0 {
		c.fail(violation("packet identifier is zero"))
	}
	return id
}

// end insists that nothing is left.
func (c *cursor) end() {
	if len(c.rest) > 0 {
		c.fail(malformed("bytes after the end of the packet"))
	}
}
