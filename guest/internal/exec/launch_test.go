package exec

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Both ways to start a process must do the same.
var ways = map[string]func(*launching) (int, int, error){"own": launch, "portable": launchPortable}

// ownWay leaves a test out where the host refuses the call of our own way, as the filters of containers do; the agent takes the
// portable way there.
func ownWay(t *testing.T) {
	t.Helper()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	fd := int(null.Fd())
	pid, pidfd, err := launch(&launching{path: "/bin/sh", argv: []string{"sh", "-c", ":"}, dir: "/", files: [3]int{fd, fd, fd}, cgroup: -1})
	if err == unix.ENOSYS {
		t.Skip("This host answers clone3 with ENOSYS")
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = unix.Close(pidfd)
	if _, err := unix.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
}

// output runs a shell through one of the ways and returns what it printed.
func output(t *testing.T, way func(*launching) (int, int, error), l launching, script string) (string, syscall.WaitStatus) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	l.path, l.argv = "/bin/sh", []string{"sh", "-c", script}
	l.files = [3]int{int(null.Fd()), int(w.Fd()), int(w.Fd())}
	l.cgroup = -1
	if l.dir == "" {
		l.dir = "/"
	}
	pid, pidfd, err := way(&l)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if pidfd >= 0 {
		defer unix.Close(pidfd)
	}
	text := new(strings.Builder)
	buf := make([]byte, 4096)
	for {
		n, err := r.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			break
		}
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
		t.Fatal(err)
	}
	return text.String(), status
}

func TestLaunch(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			if name == "own" {
				ownWay(t)
			}
			text, status := output(t, way, launching{dir: "/usr", env: []string{"A=1", "B=x y"}},
				`pwd; echo $A "$B"; test $$ = $(ps -o pgid= -p $$ 2>/dev/null || echo $$) && echo leader; ls -l /proc/$$/fd | grep -c -- '->'; exit 9`)
			if !strings.HasPrefix(text, "/usr\n1 x y\nleader\n") || status.ExitStatus() != 9 {
				t.Fatalf("%q %v", text, status)
			}
			text, _ = output(t, way, launching{env: []string{"PATH=/usr/bin:/bin"}}, `while read a b; do case $a in SigBlk:|SigIgn:) echo "$a	$b";; esac; done </proc/$$/status`)
			if strings.Count(text, "\n") != 2 {
				t.Errorf("%q", text)
			}
			for line := range strings.Lines(text) {
				if !strings.HasSuffix(line, "\t0000000000000000\n") {
					t.Errorf("a signal is not at its default: %q", line)
				}
			}
			_, status = output(t, way, launching{}, `kill -TERM $$`)
			if !status.Signaled() || status.Signal() != syscall.SIGTERM {
				t.Fatal(status)
			}
		})
	}
}

func TestLaunchFailures(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			if name == "own" {
				ownWay(t)
			}
			for _, step := range []struct {
				path, dir string
				want      unix.Errno
			}{
				{"/no/such/program", "/", unix.ENOENT},
				{"/", "/", unix.EACCES},
				{"/bin/sh", "/no/such/dir", unix.ENOENT},
				{"/bin/sh", "/etc/passwd", unix.ENOTDIR},
			} {
				null, _ := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
				_, _, err := way(&launching{path: step.path, argv: []string{"x"}, dir: step.dir, files: [3]int{null, null, null}, cgroup: -1})
				_ = unix.Close(null)
				if enter, ok := err.(enterError); ok {
					err = enter.Errno
				}
				if err != step.want {
					t.Errorf("%v: %v", step, err)
				}
			}
			var status unix.WaitStatus
			if pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil); err != unix.ECHILD {
				t.Errorf("a child is left: %d %v", pid, err)
			}
		})
	}
}

// The stack grows and the collector runs while many goroutines start processes.
func TestLaunchUnderPressure(t *testing.T) {
	ownWay(t)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	}()
	results := make(chan string)
	const workers, each = 8, 25
	for w := range workers {
		go func() {
			for i := range each {
				results <- deep(i%50, func() string {
					word := fmt.Sprint("w", w, "i", i)
					text, _ := output(t, launch, launching{env: []string{"WORD=" + word}}, "echo $WORD")
					if text != word+"\n" {
						return fmt.Sprintf("%q, want %q", text, word)
					}
					return ""
				})
			}
		}()
	}
	for range workers * each {
		if text := <-results; text != "" {
			t.Error(text)
		}
	}
	close(stop)
}

func deep(n int, fn func() string) string {
	var pad [256]byte
	if n == 0 {
		return fn()
	}
	pad[n] = byte(n)
	text := deep(n-1, fn)
	if pad[n] != byte(n) {
		return "the stack was written to"
	}
	return text
}

func TestCounter(t *testing.T) {
	const text = "low 0\nhigh 1\noom_kill 42\noom_kill_group 7\n"
	for key, want := range map[string]uint64{"low": 0, "high": 1, "oom_kill": 42, "oom_kill_group": 7, "none": 0} {
		if have := counter([]byte(text), key); have != want {
			t.Errorf("%s: %d", key, have)
		}
	}
}
