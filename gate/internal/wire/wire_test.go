package wire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"sensorthings.city/mqtt-gate/internal/wire"
)

func read(bytesOf string, version byte) (*packets.Packet, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(bytesOf, " ", ""))
	if err != nil {
		panic(err)
	}
	return wire.NewReader(wire.Buffer(bytes.NewReader(raw)), 100).Read(version)
}

// TestFaults has one row for each check; those that end a connection are tested with the gate as a whole, too.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		version byte
		bytes   string
		code    byte
	}{
		"field past the end":                 {4, "8205 0001 0009 61", 0x81},
		"two bytes past the end":             {4, "4001 00", 0x81},
		"four bytes past the end":            {5, "e005 00 03 11 0000", 0x81},
		"surplus bytes":                      {4, "4003 0001 00", 0x81},
		"length of five bytes":               {4, "30 8080808001", 0x81},
		"padded length":                      {4, "c0 8000", 0x81},
		"larger than the limit":              {4, "30 63", 0x95},
		"text with NUL":                      {4, "8206 0001 0001 00 00", 0x81},
		"text that is not UTF-8":             {4, "8206 0001 0001 ff 00", 0x81},
		"surrogate":                          {4, "8208 0001 0003 eda080 00", 0x81},
		"properties past the end":            {5, "8207 0001 7f 0001 61 00", 0x81},
		"padded length of properties":        {5, "8208 0001 8000 0001 61 00", 0x81},
		"unknown property":                   {5, "8208 0001 02 7f00 0001 61 00", 0x82},
		"property number of two bytes":       {5, "8208 0001 02 8001 0001 61 00", 0x82},
		"flag of 2":                          {5, "3006 0001 61 02 0102", 0x82},
		"subscription identifier 0":          {5, "8208 0001 02 0b00 0001 61 00", 0x82},
		"subscription identifier of PUBLISH": {5, "3006 0001 61 02 0b01", 0x82},
		"receive maximum 0":                  {5, "1011 0004 4d515454 05 02 0000 03 210000 0001 61", 0x82},
		"maximum packet size 0":              {5, "1013 0004 4d515454 05 02 0000 05 2700000000 0001 61", 0x82},
		"authentication data alone":          {5, "1012 0004 4d515454 05 02 0000 04 16000178 0001 61", 0x82},
		"server's property":                  {5, "1012 0004 4d515454 05 02 0000 04 12000178 0001 61", 0x82},
		"unknown version":                    {0, "100d 0004 4d515454 06 02 0000 0001 61", 0x84},
		"version 3 of MQTT":                  {0, "100d 0004 4d515454 03 02 0000 0001 61", 0x84},
		"bridge of mosquitto":                {0, "100d 0004 4d515454 84 02 0000 0001 61", 0x84},
		"other protocol":                     {0, "100d 0004 4d515458 04 02 0000 0001 61", 0x82},
		"reserved flag":                      {0, "100d 0004 4d515454 04 03 0000 0001 61", 0x81},
		"quality of service without a will":  {0, "100d 0004 4d515454 04 0a 0000 0001 61", 0x81},
		"retain without a will":              {0, "100d 0004 4d515454 04 22 0000 0001 61", 0x81},
		"will of quality 3":                  {0, "1013 0004 4d515454 04 1e 0000 0001 61 0001 61 0001 61", 0x81},
		"password without a user name":       {0, "1010 0004 4d515454 04 42 0000 0001 61 0001 61", 0x81},
		"user name that is not UTF-8":        {0, "1010 0004 4d515454 04 82 0000 0001 61 0001 ff", 0x81},
		"packet identifier 0":                {4, "4002 0000", 0x82},
		"empty topic":                        {4, "3002 0000", 0x82},
		"wildcard in a topic":                {4, "3003 0001 2b", 0x82},
		"no filter":                          {4, "8202 0001", 0x82},
		"empty filter":                       {4, "a204 0001 0000", 0x82},
		"filter without options":             {5, "8206 0001 00 0001 61", 0x81},
		"options of MQTT 5 in MQTT 3":        {4, "8206 0001 0001 61 04", 0x81},
		"reserved options":                   {5, "8207 0001 00 0001 61 40", 0x81},
		"retain handling 3":                  {5, "8207 0001 00 0001 61 30", 0x81},
		"CONNACK with reserved flags":        {4, "2002 0200", 0x81},
		"CONNACK with a reserved code":       {4, "2002 0006", 0x81},
		"SUBACK without codes":               {4, "9002 0001", 0x81},
		"SUBACK with a reserved code":        {4, "9003 0001 03", 0x81},
		"server's packet in MQTT 5":          {5, "2003 000000", 0x82},
		"AUTH":                               {5, "f000", 0x82},
		"type 0":                             {4, "0000", 0x82},
		"flags of PINGREQ":                   {4, "c100", 0x81},
	} {
		_, err := read(c.bytes, c.version)
		var wrong *wire.Error
		if !errors.As(err, &wrong) || wrong.Code != c.code || wrong.Packet == "" {
			t.Errorf("%s: error %v (%+v), want code 0x%02x", name, err, wrong, c.code)
		}
	}
}

func TestTheEndOfTheStreamIsNoFault(t *testing.T) {
	var wrong *wire.Error
	for _, part := range []string{"", "30", "30 05", "30 05 0001"} {
		if _, err := read(part, 4); err == nil || errors.As(err, &wrong) {
			t.Errorf("%q: %v", part, err)
		}
	}
}

// FuzzRead looks for bytes that make the reader panic, and for packets that are another once they are written and read
// again.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"1012 0004 4d515454 05 02 0000 03 210014 0002 6162", "3210 0001 61 0001 06 0101 03000178 7b7d7b7d", "6202 0001",
		"8206 0001 00 0001 61", "8209 0001 02 0b01 0001 61 2d", "a206 0001 00 0001 61", "e007 00 05 1100000001", "c000",
		"101c 0004 4d515454 04 c6 000a 0001 61 0001 62 0001 63 0001 64 0001 65", "4004 0001 87 00", "2002 0100", "9003 0001 80",
	} {
		raw, _ := hex.DecodeString(strings.ReplaceAll(seed, " ", ""))
		for version := range byte(6) {
			f.Add(raw, version)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, version byte) {
		if version > 5 {
			return
		}
		packet, err := wire.NewReader(wire.Buffer(bytes.NewReader(raw)), 1<<16).Read(version)
		if err != nil {
			return
		}
		packet.Mods.AllowResponseInfo = true // else the library leaves out what it has read
		written, err := wire.Encode(packet)
		if err != nil {
			t.Fatalf("%x was read but can't be written: %v", raw, err)
		}
		again, err := wire.NewReader(wire.Buffer(bytes.NewReader(written)), 1<<17).Read(version)
		if err != nil {
			t.Fatalf("%x was read, but %x, as written, was not: %v", raw, written, err)
		}
		same(t, packet, again)
	})
}

// same compares what the gate goes by.
func same(t *testing.T, a, b *packets.Packet) {
	t.Helper()
	if a.FixedHeader.Type != b.FixedHeader.Type || a.PacketID != b.PacketID || a.TopicName != b.TopicName ||
		!bytes.Equal(a.Payload, b.Payload) || !reflect.DeepEqual(a.Filters, b.Filters) ||
		!reflect.DeepEqual(a.Connect, b.Connect) || a.FixedHeader.Qos != b.FixedHeader.Qos {
		t.Fatalf("%+v was written, %+v was read", a, b)
	}
}
