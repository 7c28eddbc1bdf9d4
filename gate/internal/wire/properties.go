package wire

import "github.com/mochi-mqtt/server/v2/packets"

// shape is how a property's value is written, and what it may be.
type shape byte

const (
	flag     shape = iota + 1 // one byte, 0 or 1
	number16                  // two bytes
	counting                  // two bytes, not zero
	number32                  // four bytes
	size32                    // four bytes, not zero
	identity                  // variable byte integer, not zero
	words                     // text
	octets                    // binary data
	pair                      // two texts
)

type property struct {
	shape shape
	in    []byte // the packets that clients may send it in
}

// known holds the properties that a client may send, MQTT 5 section 2.2.2.2. What only servers send is not among them.
var known = map[byte]property{
	packets.PropPayloadFormat:          {flag, []byte{packets.Publish, packets.WillProperties}},
	packets.PropMessageExpiryInterval:  {number32, []byte{packets.Publish, packets.WillProperties}},
	packets.PropContentType:            {words, []byte{packets.Publish, packets.WillProperties}},
	packets.PropResponseTopic:          {words, []byte{packets.Publish, packets.WillProperties}},
	packets.PropCorrelationData:        {octets, []byte{packets.Publish, packets.WillProperties}},
	packets.PropSubscriptionIdentifier: {identity, []byte{packets.Subscribe}},
	packets.PropSessionExpiryInterval:  {number32, []byte{packets.Connect, packets.Disconnect}},
	packets.PropAuthenticationMethod:   {words, []byte{packets.Connect}},
	packets.PropAuthenticationData:     {octets, []byte{packets.Connect}},
	packets.PropRequestProblemInfo:     {flag, []byte{packets.Connect}},
	packets.PropWillDelayInterval:      {number32, []byte{packets.WillProperties}},
	packets.PropRequestResponseInfo:    {flag, []byte{packets.Connect}},
	packets.PropReasonString:           {words, []byte{packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp, packets.Disconnect}},
	packets.PropReceiveMaximum:         {counting, []byte{packets.Connect}},
	packets.PropTopicAliasMaximum:      {number16, []byte{packets.Connect}},
	packets.PropTopicAlias:             {number16, []byte{packets.Publish}},
	packets.PropMaximumPacketSize:      {size32, []byte{packets.Connect}},
	packets.PropUser: {pair, []byte{packets.Connect, packets.Publish, packets.WillProperties, packets.Puback, packets.Pubrec,
		packets.Pubrel, packets.Pubcomp, packets.Subscribe, packets.Unsubscribe, packets.Disconnect}},
}

// properties checks the properties of one packet: within their length, of this packet, and once each but for user
// properties (MQTT 5, section 2.2.2).
func (c *cursor) properties(packet byte) {
	inner := cursor{rest: c.take(c.varint())}
	var seen [packets.PropSharedSubAvailable + 1]bool
	for len(inner.rest) > 0 {
		id := inner.u8()
		property, ok := known[id]
		if !ok || !contains(property.in, packet) {
			inner.fail(violation("property that is not of this packet"))
			break
		}
		if seen[id] && property.shape != pair {
			inner.fail(violation("property twice"))
		}
		seen[id] = true
		inner.value(property.shape)
	}
	if seen[packets.PropAuthenticationData] && !seen[packets.PropAuthenticationMethod] {
		inner.fail(violation("authentication data without method"))
	}
	if inner.err != nil {
		c.fail(inner.err)
	}
}

func contains(set []byte, b byte) bool {
	for _, each := range set {
		if each == b {
			return true
		}
	}
	return false
}

func (c *cursor) value(shape shape) {
	ok := true
	switch shape {
	case flag:
		ok = c.u8() <= 1
	case number16:
		c.u16()
	case counting:
		ok = c.u16() != 0
	case number32:
		c.u32()
	case size32:
		ok = c.u32() != 0
	case identity:
		ok = c.varint() != 0
	case words:
		c.text()
	case octets:
		c.binary()
	case pair:
		c.text()
		c.text()
	}
	if !ok {
		c.fail(violation("property with a value that it can't have"))
	}
}
