package session

import (
	"context"
	"sync"
)

// names are the client ids of persistent sessions that are connected. A session is in use by one connection at a time:
// the next one ends the last [MQTT-3.1.4-3], and waits until it is gone.
type names struct {
	mu      sync.Mutex
	holders map[string]*holder
}

type holder struct {
	end  func()
	gone chan struct{}
}

func newNames() *names {
	return &names{holders: map[string]*holder{}}
}

// take makes the caller the holder of a name and returns what gives it back. The function end is called when another
// wants the name.
func (n *names) take(ctx context.Context, name string, end func()) (release func(), err error) {
	mine := &holder{end: end, gone: make(chan struct{})}
	for {
		last := n.put(name, mine)
		if last == nil {
			return func() { n.drop(name, mine) }, nil
		}
		last.end()
		select {
		case <-last.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// put enters a holder, unless there is one already, which it returns.
func (n *names) put(name string, mine *holder) *holder {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last := n.holders[name]; last != nil {
		return last
	}
	n.holders[name] = mine
	return nil
}

func (n *names) drop(name string, mine *holder) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.holders, name)
	close(mine.gone)
}
