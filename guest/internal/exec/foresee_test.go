package exec

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// foresee prepares a command as a machine does that is saved, without a cgroup.
func foresee(t *testing.T) *foreseen {
	t.Helper()
	Prepare()
	box := &Box{}
	Foresee(box, false)
	f := takeForeseen()
	if f.ahead == nil {
		t.Skip("there is no process ahead on this architecture")
	}
	t.Cleanup(f.retire)
	return f
}

func runAhead(t *testing.T, f *foreseen, path string, argv ...string) (string, *process, error) {
	t.Helper()
	l := &launching{path: path, argv: argv, env: []string{"WORD=said"}, dir: "/", cgroup: -1}
	p, io := f.run(l, identity{})
	if p == nil {
		t.Fatal("the process ahead had ended")
	}
	verdict := p.ahead.verdict()
	p.waitBlocking()
	var out bytes.Buffer
	file := os.NewFile(uintptr(io.ours[1]), "stdout")
	io.ours[1] = -1
	_, _ = out.ReadFrom(file)
	_ = file.Close()
	io.discard()
	return out.String(), p, verdict
}

func TestAProcessAheadBecomesWhatItIsTold(t *testing.T) {
	f := foresee(t)
	before := f.ahead.process.pid
	out, p, err := runAhead(t, f, "/bin/sh", "sh", "-c", "echo $WORD from $$ in $PWD; exit 3")
	if err != nil || p.pid != before || p.status.ExitStatus() != 3 {
		t.Fatalf("pid %d, wanted %d; status %v, error %v", p.pid, before, p.status, err)
	}
	if want := "said from "; !strings.HasPrefix(out, want) || !strings.HasSuffix(out, "in /\n") {
		t.Fatalf("it said %q", out)
	}
}

func TestAProcessAheadSaysWhyItsProgramNeverRan(t *testing.T) {
	if _, _, err := runAhead(t, foresee(t), "/nowhere", "nowhere"); err != unix.ENOENT {
		t.Fatalf("the verdict is %v, wanted ENOENT", err)
	}
	f := foresee(t)
	p, io := f.run(&launching{path: "/bin/true", argv: []string{"true"}, dir: "/nowhere", cgroup: -1}, identity{})
	err := p.ahead.verdict()
	p.waitBlocking()
	io.discard()
	if enter, ok := err.(enterError); !ok || enter.Errno != unix.ENOENT {
		t.Fatalf("the verdict is %v, wanted that of the directory", err)
	}
}

func TestAProcessAheadThatWasKilledIsNotUsed(t *testing.T) {
	f := foresee(t)
	_ = unix.Kill(f.ahead.process.pid, unix.SIGKILL)
	f.ahead.process.waitBlocking()
	if p, _ := f.run(&launching{path: "/bin/true", argv: []string{"true"}, dir: "/", cgroup: -1}, identity{}); p != nil {
		t.Fatal("a dead process was given a command")
	}
}

func TestWhatDoesNotFitIsTakenBack(t *testing.T) {
	box := &Box{}
	for _, req := range []*wire.Exec{{TTY: true}, {Stdin: true}} {
		Foresee(box, false)
		if next.ready.ahead == nil {
			t.Skip("there is no process ahead on this architecture")
		}
		pid := next.ready.ahead.process.pid
		if f := foreseenFor(req, box); f.ahead != nil {
			t.Fatal("a process without a terminal or an input was kept for a command that needs it")
		}
		if err := unix.Kill(pid, 0); err != unix.ESRCH {
			t.Fatalf("the process is still there (%v)", err)
		}
	}
}
