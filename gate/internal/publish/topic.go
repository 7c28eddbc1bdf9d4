// Package publish stores what clients publish: each PUBLISH becomes a POST to FROST-Server's HTTP module.
package publish

import (
	"net/url"
	"regexp"
	"strings"
)

// collection is what may stand between the prefix and the end of a topic (SensorThings API 1.1, section 14.2): an
// Observation is created in the collection itself or in that of one Datastream, whose id is a number or a string in
// quotes, with quotes inside doubled.
var collection = regexp.MustCompile(`^(?:(Datastreams|MultiDatastreams)\((-?[0-9]{1,19}|'(?:[^'\x00-\x1F\x7F]|'')+')\)/)?Observations$`)

// Path returns where below the service's address an entity is created that is published to a topic, escaped for use in
// an address. It refuses all topics on which SensorThings creates none.
func Path(prefix, topic string) (string, bool) {
	below, ok := strings.CutPrefix(topic, prefix+"/")
	if !ok {
		return "", false
	}
	parts := collection.FindStringSubmatch(below)
	switch {
	case parts == nil:
		return "", false
	case parts[1] == "":
		return "Observations", true
	default:
		return parts[1] + "(" + url.PathEscape(parts[2]) + ")/Observations", true
	}
}
