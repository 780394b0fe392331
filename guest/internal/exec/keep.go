package exec

import "sync"

// following holds the commands that outlast their first moment, for Keep.
var following = struct {
	sync.Mutex
	commands map[*command]struct{}
}{commands: map[*command]struct{}{}}

func (c *command) register() {
	following.Lock()
	following.commands[c] = struct{}{}
	following.Unlock()
}

func (c *command) unregister() {
	following.Lock()
	delete(following.commands, c)
	following.Unlock()
}

// Keep makes the commands that run now outlive the end of their session, or not any more. In a machine that
// is started from a saved one, the host that had asked for them is gone, but what they serve is what
// the machine was saved for. Their output then goes nowhere.
func Keep(keep bool) {
	following.Lock()
	defer following.Unlock()
	for c := range following.commands {
		c.kept.Store(keep)
	}
}
