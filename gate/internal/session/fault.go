package session

import (
	"errors"
	"fmt"

	"sensorthings.city/mqtt-gate/internal/status"
	"sensorthings.city/mqtt-gate/internal/translate"
	"sensorthings.city/mqtt-gate/internal/wire"
)

// fault is why a connection ends: with a reason code that MQTT 5 clients are told, and a reason for the metrics if
// something was refused.
type fault struct {
	code   byte
	packet string
	reason status.Reason
	detail error
}

func (f *fault) Error() string {
	return fmt.Sprintf("%s: %s (0x%02X)", f.packet, f.reason, f.code)
}

func (f *fault) Unwrap() error { return f.detail }

// refuse makes the fault of a packet that is not allowed.
func refuse(packet byte, reason status.Reason, code byte) *fault {
	return &fault{code: code, packet: wire.Name(packet), reason: reason}
}

// because makes a fault in which nothing is refused.
func because(code byte) *fault { return &fault{code: code} }

// asFault finds the fault in an error. Errors of the network have none: there is nobody to be told.
func asFault(err error) *fault {
	var known *fault
	var packet *wire.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &packet):
		return &fault{code: packet.Code, packet: packet.Packet, reason: packetReason(packet.Code), detail: err}
	case errors.Is(err, errTooLarge):
		return because(translate.TooLarge)
	default:
		return because(translate.Success)
	}
}

func packetReason(code byte) status.Reason {
	switch code {
	case wire.TooLarge:
		return status.TooLarge
	case wire.ProtocolError:
		return status.BadProtocol
	case wire.BadVersion:
		return status.BadVersion
	default:
		return status.BadPacket
	}
}
