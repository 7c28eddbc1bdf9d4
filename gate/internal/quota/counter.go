// Package quota counts what clients take, so that each limit of the configuration is kept.
package quota

import "sync/atomic"

// Counter counts up to a limit.
type Counter struct {
	limit int64
	taken atomic.Int64
}

// NewCounter returns a counter of which limit can be taken.
func NewCounter(limit int) *Counter {
	return &Counter{limit: int64(limit)}
}

// Take takes one, if one is left.
func (c *Counter) Take() bool {
	if c.taken.Add(1) > c.limit {
		c.taken.Add(-1)
		return false
	}
	return true
}

// Release gives one back.
func (c *Counter) Release() {
	c.taken.Add(-1)
}
