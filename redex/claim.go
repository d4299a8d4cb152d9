package redex

import "sync"

// claims are the keyspaces that have an owner.
type claims struct {
	mu    sync.Mutex
	taken map[string]struct{}
}

// Claim makes the caller the only one in this process who may write to the keyspace, until release is called, which is
// idempotent. It returns false when another has claimed the keyspace of that name. Commit does not ask for a claim: it is for
// writers who read what they wrote before, and so must not share.
func (v *Views) Claim() (release func(), ok bool) {
	c := &v.s.claims
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.taken[v.name]; ok {
		return nil, false
	}
	if c.taken == nil {
		c.taken = map[string]struct{}{}
	}
	c.taken[v.name] = struct{}{}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.taken, v.name)
	}), true
}
