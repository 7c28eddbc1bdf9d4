// Package translate puts what FROST-Server says in MQTT 3.1.1 into MQTT 5, and the gate's own words into both.
package translate

// The reason codes of MQTT 5 that the gate uses (section 2.4).
const (
	Success                  byte = 0x00
	NoSubscription           byte = 0x11
	Unspecified              byte = 0x80
	ProtocolError            byte = 0x82
	Failed                   byte = 0x83 // implementation specific error
	BadVersion               byte = 0x84
	BadClientID              byte = 0x85
	BadCredentials           byte = 0x86
	NotAuthorized            byte = 0x87
	Unavailable              byte = 0x88
	Busy                     byte = 0x89
	ShuttingDown             byte = 0x8B
	BadAuthenticationMethod  byte = 0x8C
	KeepAliveTimeout         byte = 0x8D
	TakenOver                byte = 0x8E
	BadFilter                byte = 0x8F
	BadTopic                 byte = 0x90
	PacketIDNotFound         byte = 0x92
	ReceiveMaximumExceeded   byte = 0x93
	TopicAliasInvalid        byte = 0x94
	TooLarge                 byte = 0x95
	QuotaExceeded            byte = 0x97
	BadPayload               byte = 0x99
	RetainNotSupported       byte = 0x9A
	NoSharedSubscriptions    byte = 0x9E
	Expired                  byte = 0xA0 // maximum connect time
	NoSubscriptionIdentifier byte = 0xA1
)

// ConnackCode is the return code of MQTT 3.1.1 (section 3.2.2.3) for a reason code of MQTT 5.
func ConnackCode(reason byte) byte {
	switch reason {
	case Success:
		return 0
	case BadVersion:
		return 1
	case BadClientID:
		return 2
	case BadCredentials:
		return 4
	case NotAuthorized:
		return 5
	default:
		return 3
	}
}

// ConnackReason is the reason code of MQTT 5 for a return code of MQTT 3.1.1.
func ConnackReason(code byte) byte {
	reasons := []byte{Success, BadVersion, BadClientID, Unavailable, BadCredentials, NotAuthorized}
	if int(code) >= len(reasons) {
		return Unspecified
	}
	return reasons[code]
}

// SubackCode is the code of a SUBACK as a version has it: all refusals are one in MQTT 3.1.1 [MQTT-3.9.3-2].
func SubackCode(code, version byte) byte {
	if version < 5 && code > 2 {
		return Unspecified
	}
	return code
}
