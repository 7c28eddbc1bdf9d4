package quota

import (
	"fmt"
	"testing"
)

func TestCounterEndsAtItsLimit(t *testing.T) {
	counter := NewCounter(2)
	for range 2 {
		if !counter.Take() {
			t.Fatal("what is left can't be taken")
		}
	}
	if counter.Take() {
		t.Error("more than the limit was taken")
	}
	counter.Release()
	if !counter.Take() {
		t.Error("what was given back can't be taken")
	}
}

func TestSubjectsAreCountedApart(t *testing.T) {
	subjects := NewSubjects(1, 1, 1)
	if subjects.Take("a") == nil || subjects.Take("b") == nil {
		t.Fatal("first connections are refused")
	}
	if subjects.Take("a") != nil {
		t.Error("a second connection is allowed")
	}
	subjects.Release("a")
	if subjects.Take("a") == nil {
		t.Error("a connection that ended still counts")
	}
}

func TestConnectingAnewBringsNoNewBurst(t *testing.T) {
	subjects := NewSubjects(1, 0.01, 1)
	if !subjects.Take("a").Allow() {
		t.Fatal("the first publication is refused")
	}
	subjects.Release("a")
	if subjects.Take("a").Allow() {
		t.Error("a second connection has a burst of its own")
	}
}

func TestQuietSubjectsAreForgottenAndBusyOnesAreNot(t *testing.T) {
	subjects := NewSubjects(1, 0.01, 1)
	subjects.Take("connected")
	subjects.Take("spent").Allow()
	subjects.Release("spent")
	for i := range 10 * sweepAfter {
		name := fmt.Sprint(i)
		subjects.Take(name)
		subjects.Release(name)
	}
	if n := len(subjects.known); n > sweepAfter {
		t.Errorf("%d subjects are kept", n)
	}
	if subjects.Take("connected") != nil {
		t.Error("the connection of a subject was forgotten")
	}
	if subjects.Take("spent").Allow() {
		t.Error("the spent burst of a subject was forgotten")
	}
}
