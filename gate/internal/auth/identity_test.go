package auth

import (
	"strings"
	"testing"
)

func TestPersistentIDsBelongToOneSubjectAndOneID(t *testing.T) {
	a := Identity{Subject: subject("issuer", "a")}
	b := Identity{Subject: subject("issuer", "b")}
	elsewhere := Identity{Subject: subject("other", "a")}
	id := a.PersistentClientID("x")
	if again := a.PersistentClientID("x"); again != id {
		t.Errorf("ids %s and %s of one session differ", id, again)
	}
	for name, other := range map[string]string{
		"another subject": b.PersistentClientID("x"), "another issuer": elsewhere.PersistentClientID("x"),
		"another own id": a.PersistentClientID("y"), "a moved border": Identity{Subject: a.Subject + "x"}.PersistentClientID(""),
		"a random one": a.NewClientID(),
	} {
		if other == id {
			t.Errorf("%s has the same id %s", name, id)
		}
	}
	if subject("ab", "c") == subject("a", "bc") {
		t.Error("subjects with a moved border are the same")
	}
}

func TestIDsAreShortAndTellTheirKind(t *testing.T) {
	known := Identity{Subject: subject("issuer", "a")}
	for kind, id := range map[string]string{
		"anon-": Identity{}.NewClientID(), "once-": known.NewClientID(), "keep-": known.PersistentClientID("x"),
	} {
		if len(id) != 23 || !strings.HasPrefix(id, kind) {
			t.Errorf("id %q", id)
		}
	}
	if one, other := known.NewClientID(), known.NewClientID(); one == other {
		t.Error("two random ids are the same")
	}
}
