package server_test

import (
	"strings"
	"testing"
)

func TestWhatIsNotMQTT(t *testing.T) {
	s := start(t)
	for name, bytes := range map[string][]byte{
		"HTTP":              []byte("GET / HTTP/1.1\r\n\r\n"),
		"PUBLISH first":     publishing(4, 0, 0, topic, "{}"),
		"PINGREQ first":     ping,
		"other protocol":    framed(0x10, join(text("MQTX"), []byte{4, 2, 0, 0}, text("x"))),
		"level 4 of MQIsdp": hexed("10 00"),
		"reserved flag":     connecting{version: 4, flags: 0x03, id: "x"}.bytes(),
		"surplus bytes":     connecting{version: 4, flags: 0x02, id: "x", rest: []byte("y")}.bytes(),
		"password, no user": connecting{version: 4, flags: 0x42, id: "x", rest: text("p")}.bytes(),
		"will flags alone":  connecting{version: 4, flags: 0x0A, id: "x"}.bytes(),
		"too large":         connecting{version: 4, flags: 0x02, id: strings.Repeat("x", 8100)}.bytes(),
		"endless length":    hexed("10 ffffffffff"),
		"padded length":     hexed("10 8c80808000 0004"),
		"broken UTF-8":      connecting{version: 4, flags: 0x02, id: "\xff"}.bytes(),
		"NUL":               connecting{version: 4, flags: 0x02, id: "\x00"}.bytes(),
	} {
		c := s.dial()
		c.send(bytes)
		t.Run(name, func(t *testing.T) { c.t = t; c.expect("closed") })
	}
	c := s.dial()
	c.send(framed(0x10, join(text("MQTT"), []byte{6, 2, 0, 0}, text("x"))))
	c.expect("20 02 00 01", "closed")
	if n := len(s.broker.all()); n != 0 {
		t.Errorf("%d connections reached the broker", n)
	}
}

// TestAPacketThatIsWrongEndsTheConnection sends what the library would take or stumble over.
func TestAPacketThatIsWrongEndsTheConnection(t *testing.T) {
	s := start(t)
	for name, c := range map[string]struct {
		version byte
		bytes   []byte
		code    string
	}{
		"SUBSCRIBE without options":     {5, framed(0x82, hexed("0001 00 0001 61")), "81"}, // made mochi-mqtt panic
		"properties past their length":  {5, framed(0x82, hexed("0001 01 26 0001 61 0001 62 0001 61 00")), "81"},
		"properties twice":              {5, framed(0x30, join(text(topic), hexed("04 0100 0100"), []byte("{}"))), "82"},
		"property of another packet":    {5, framed(0x82, hexed("0001 02 2500 0001 61 00")), "82"},
		"reserved options":              {5, framed(0x82, hexed("0001 00 0001 61 c0")), "81"},
		"retain handling 3":             {5, framed(0x82, hexed("0001 00 0001 61 30")), "81"},
		"quality of service 3":          {4, framed(0x82, hexed("0001 0001 61 03")), "81"},
		"reserved bits of SUBSCRIBE":    {4, framed(0x80, hexed("0001 0001 61 00")), "81"},
		"no filter":                     {5, framed(0x82, hexed("0001 00")), "82"},
		"empty filter":                  {5, framed(0x82, hexed("0001 00 0000 00")), "82"},
		"packet id 0":                   {5, subscribe(5, 0, "a"), "82"},
		"PUBLISH with wildcard":         {5, publishing(5, 0, 0, "a/#", ""), "82"},
		"PUBLISH with QoS 3":            {5, publishing(5, 0x06, 1, topic, ""), "81"},
		"DUP with QoS 0":                {5, publishing(5, 0x08, 0, topic, ""), "81"},
		"PINGREQ with a body":           {5, hexed("c001 00"), "81"},
		"PUBREL with other flags":       {5, hexed("6002 0001"), "81"},
		"DISCONNECT with a body":        {4, hexed("e001 00"), "81"},
		"topic alias":                   {5, framed(0x30, join(text(topic), hexed("03 230001"), []byte("{}"))), "94"},
		"no topic":                      {5, framed(0x30, join(text(""), hexed("00"), []byte("{}"))), "82"},
		"too large":                     {5, publishing(5, 0, 0, topic, strings.Repeat("x", 8092)), "95"},
		"CONNACK":                       {5, hexed("2002 0000"), "82"},
		"SUBACK":                        {5, hexed("9003 000100"), "82"},
		"AUTH":                          {5, hexed("f002 1800"), "82"},
		"type 0":                        {5, hexed("0000"), "82"},
		"subscription identifier":       {5, framed(0x82, hexed("0001 02 0b01 0001 61 00")), "a1"},
		"expiry that was not asked for": {5, hexed("e007 00 05 1100000001"), "82"},
	} {
		t.Run(name, func(t *testing.T) {
			client := s.dial()
			client.t = t
			client.send(connect(c.version))
			client.next()
			at := s.broker.last()
			client.send(c.bytes)
			client.expect(ended(c.version, c.code)...)
			eventually(t, "the end at the broker", at.gone)
			if got := at.names(); got != "DISCONNECT 0," {
				t.Errorf("the broker saw %s", got)
			}
		})
	}
}
