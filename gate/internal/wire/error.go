// Package wire reads MQTT packets strictly and writes them.
//
// The packets are those of mochi-mqtt, whose decoder is lenient (it reads properties past their length, takes
// properties twice and bytes after the end, and panics on a SUBSCRIBE of MQTT 5 that ends after a filter). So each
// packet's structure is checked to the last byte here before the library sees it.
package wire

import (
	"fmt"
	"strings"

	"github.com/mochi-mqtt/server/v2/packets"
)

// The reason codes of MQTT 5 that a packet itself can earn its sender.
const (
	Malformed     byte = 0x81
	ProtocolError byte = 0x82
	BadVersion    byte = 0x84
	TooLarge      byte = 0x95
)

// Error is what is wrong with a packet, with the reason code that MQTT 5 has for it.
type Error struct {
	Packet string // the packet's name, as in CONNECT
	Code   byte
	Reason string // never holds anything that a client sent
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (0x%02X)", e.Reason, e.Code)
}

func malformed(reason string) *Error { return &Error{Code: Malformed, Reason: reason} }
func violation(reason string) *Error { return &Error{Code: ProtocolError, Reason: reason} }

// Name is the name of a packet's type, as in CONNECT.
func Name(packet byte) string { return strings.ToUpper(packets.PacketNames[packet]) }
