package exec

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// foreseen is what the first command of a machine that is started from a saved one finds ready. Under emulation
// code that runs for the first time is slow, and until a command's own program runs it is all ours: it is done once,
// before the machine is saved.
type foreseen struct {
	ahead *ahead
	place *slot
	io    *stdio
	who   string // the user whose numbers and home are known, when known is set
	id    identity
	known bool
}

var next struct {
	sync.Mutex
	ready *foreseen
	user  string // of the command before
}

// Foresee prepares the next command. alone: there is no process beside the agent's, so nobody changes the account files
// and no orphan ends before that command.
func Foresee(box *Box, alone bool) {
	next.Lock()
	defer next.Unlock()
	f := &foreseen{who: next.user, place: box.take()}
	if io, err := openPipes(false, identity{}); err == nil {
		cgroup := -1
		if f.place != nil {
			cgroup = f.place.fd
		}
		if f.ahead = startAhead(cgroup); f.ahead == nil {
			io.discard()
		} else {
			io.closeChild()
			f.io = io
		}
	}
	if alone {
		var failure *wire.Failure
		f.id, failure = whoRuns(f.who)
		f.known = failure == nil
		overlookChildren()
	}
	next.ready = f
}

// Unforesee takes it back.
func Unforesee(box *Box) {
	heedChildren()
	if f := takeForeseen(); f != nil {
		f.retire()
		box.give(f.place)
	}
}

// FilesChange says that the account files may no longer be what they were.
func FilesChange() {
	next.Lock()
	if next.ready != nil {
		next.ready.known = false
	}
	next.Unlock()
}

func takeForeseen() *foreseen {
	next.Lock()
	defer next.Unlock()
	f := next.ready
	next.ready = nil
	return f
}

// foreseenFor is what is ready for a request, never nil; whatever does not fit is taken back.
func foreseenFor(req *wire.Exec, box *Box) *foreseen {
	f := takeForeseen()
	if f == nil {
		f = &foreseen{}
	} else if req.TTY || req.Stdin {
		f.retire()
	}
	if f.place == nil {
		f.place = box.take()
	}
	return f
}

func (f *foreseen) whoRuns(user string) (identity, *wire.Failure) {
	if f.known && f.who == user {
		return f.id, nil
	}
	next.Lock()
	next.user = user
	next.Unlock()
	return whoRuns(user)
}

// run starts a command in the process that waits, nil when there is none.
func (f *foreseen) run(l *launching, id identity) (*process, *stdio) {
	a := f.ahead
	if a == nil {
		return nil, nil
	}
	if id.uid != 0 {
		for _, fd := range f.io.ours[1:] {
			_ = unix.Fchown(fd, int(id.uid), int(id.gid))
		}
	}
	l.files = f.io.child
	if !a.run(l) {
		f.retire()
		return nil, nil
	}
	f.ahead = nil
	a.process.ahead = a
	return a.process, f.io
}

// retire ends the process that waits.
func (f *foreseen) retire() {
	a := f.ahead
	if a == nil {
		return
	}
	f.ahead = nil
	_ = a.process.signal(unix.SIGKILL)
	_ = unix.Kill(a.process.pid, unix.SIGKILL)
	a.process.waitBriefly()
	a.process.waitBlocking()
	_ = unix.Close(a.process.pidfd)
	a.close()
	f.io.discard()
}

// failure says why the program never ran. It waits until that is known.
func (c *command) failure() *wire.Failure {
	a := c.process.ahead
	if a == nil {
		return nil
	}
	c.process.ahead = nil
	err := a.verdict()
	if err == nil {
		return nil
	}
	c.process.waitBriefly()
	c.process.waitBlocking()
	return explain(err, c.req.Argv[0], c.req.Cwd)
}

// defaultAction is the signal's while nobody has to be told of it.
var (
	overlooking atomic.Bool
	childAction [32]byte // struct sigaction of the kernel's
)

// overlookChildren spares the first command the signal that tells of its end: it is waited for anyway. Only for a
// machine in which nobody else can end.
func overlookChildren() {
	var standard [32]byte
	if sigaction(unix.SIGCHLD, &standard, &childAction) {
		overlooking.Store(true)
	}
}

// heedChildren listens again, and reaps who has ended meanwhile.
func heedChildren() {
	if overlooking.Load() && overlooking.Swap(false) {
		sigaction(unix.SIGCHLD, &childAction, nil)
		ReapOrphans()
	}
}
