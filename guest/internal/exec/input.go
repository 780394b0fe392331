package exec

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
)

// input moves bytes from the host to the command. The host's frames must be read on, whether or
// not the command reads its stdin: a signal or a reset may follow. So bytes wait here, and credit is
// given only for what was written: there are never more than one window of them.
type input struct {
	file   *os.File
	tty    bool
	credit func(int)

	mu      sync.Mutex
	pending []byte
	busy    bool // a writer goroutine runs
	ended   bool
	broken  bool
}

const endOfTransmission = 4

func (in *input) write(p []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.broken || in.ended {
		in.credit(len(p))
		return
	}
	in.pending = append(in.pending, p...)
	in.wake()
}

func (in *input) end() {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.ended {
		return
	}
	in.ended = true
	if in.tty {
		in.pending = append(in.pending, endOfTransmission)
	}
	in.wake()
}

func (in *input) wake() {
	if !in.busy {
		in.busy = true
		go in.run()
	}
}

func (in *input) run() {
	defer fault.Recover("a command's input")
	for {
		in.mu.Lock()
		batch := in.pending
		in.pending = nil
		if len(batch) == 0 || in.broken {
			in.busy = false
			if in.ended && !in.tty {
				_ = in.file.Close()
			}
			in.mu.Unlock()
			return
		}
		in.mu.Unlock()
		err := in.flush(batch)
		in.credit(len(batch))
		if err != nil {
			in.mu.Lock()
			in.broken = true
			in.mu.Unlock()
		}
	}
}

func (in *input) flush(p []byte) error {
	raw, err := in.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Write(func(fd uintptr) bool {
		for len(p) > 0 {
			n, err := unix.Write(int(fd), p)
			switch {
			case err == unix.EINTR:
			case err == unix.EAGAIN:
				return false
			case err != nil:
				failed = err
				return true
			default:
				p = p[n:]
			}
		}
		return true
	})
	if err == nil {
		err = failed
	}
	return err
}

// stop drops what waits; the command is gone.
func (in *input) stop() {
	in.mu.Lock()
	in.broken = true
	in.mu.Unlock()
	if !in.tty {
		_ = in.file.Close()
	}
}
