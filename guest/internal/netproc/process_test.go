package netproc_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/netmain"
	"microagent.dev/guest/internal/netproc"
	"microagent.dev/guest/internal/port"
	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/wire"
)

const processName = "microagent-network"

// The program of these tests is the network process's too, under its name.
func TestMain(m *testing.M) {
	if os.Args[0] == processName {
		if err := netmain.Run(os.Args); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// world is PID 1's side of one machine: its port to a host, and what it serves.
type world struct {
	t       *testing.T
	port    int
	conn    *port.Conn
	in      *mux.Reader
	network *netproc.Process
	host    *yamux.Session
	peer    net.Conn
	socket  string
	asked   chan string
	served  chan error // how the session ended
}

func newWorld(t *testing.T) *world {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "host")
	peer, err := net.FileConn(theirs)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, port: fds[0], peer: peer, socket: filepath.Join(t.TempDir(), "api.sock"), asked: make(chan string, 16), served: make(chan error, 1)}
	if w.conn, err = port.New(fds[0], fds[0]); err != nil {
		t.Fatal(err)
	}
	w.in = mux.NewReader(w.conn)
	program, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	session := w.session()
	var failure *wire.Failure
	w.network, failure = netproc.Open(nil, &wire.Services{SecretsSocket: w.socket}, int(program.Fd()), w.port, session)
	if failure != nil {
		t.Fatal(failure)
	}
	w.serve(session)
	w.connect()
	t.Cleanup(func() {
		w.host.Close()
		w.network.Close()
		program.Close()
	})
	return w
}

func (w *world) session() *mux.Session {
	session := mux.NewSession(w.in, w.conn, (*mux.Stream).Release)
	session.Opened = func(h mux.Header, in *mux.Reader) error { return w.network.Forward(h, in) }
	return session
}

func (w *world) serve(session *mux.Session) {
	go func() { w.served <- session.Serve() }()
}

// connect makes a host that answers every secret, but lets those named SLOW wait.
func (w *world) connect() {
	cfg := yamux.DefaultConfig()
	cfg.LogOutput, cfg.EnableKeepAlive = io.Discard, false
	host, err := yamux.Client(w.peer, cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.host = host
	go testclient.Answer(host, func(st *testclient.Stream, line []byte) {
		w.asked <- string(line)
		if strings.Contains(string(line), "SLOW") {
			_, err := io.ReadAll(st)
			w.asked <- fmt.Sprint("slow ended: ", err)
			return
		}
		_, _ = io.WriteString(st, `{"ok":true,"value":"c2VjcmV0"}`+"\n")
		_ = st.Close()
	})
}

// ask asks the socket for a secret.
func (w *world) ask(name string) string {
	w.t.Helper()
	conn, err := net.Dial("unix", w.socket)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(conn, "GET %s\n", name)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(line)
}

func (w *world) heard() string {
	w.t.Helper()
	select {
	case line := <-w.asked:
		return strings.TrimSpace(line)
	case <-time.After(20 * time.Second):
		w.t.Fatal("the host was asked nothing")
		return ""
	}
}

// children are the processes of this one that serve the network.
func children(t *testing.T) (pids []int) {
	t.Helper()
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		var pid, parent int
		var name, state string
		if err != nil {
			continue
		}
		if _, err := fmt.Sscanf(string(text), "%d %s %s %d", &pid, &name, &state, &parent); err != nil || parent != os.Getpid() || state == "Z" {
			continue
		}
		words, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
		if strings.HasPrefix(string(words), processName+"\x00") {
			pids = append(pids, pid)
		}
	}
	return pids
}

const value = `{"ok":true,"value":"c2VjcmV0"}`

func TestTheProcessStartsWhenItIsNeededAndServesFromThen(t *testing.T) {
	w := newWorld(t)
	if pids := children(t); len(pids) != 0 {
		t.Fatal("there already:", pids)
	}
	for range 3 {
		if have := w.ask("TOKEN"); have != value {
			t.Fatal(have)
		}
		if line := w.heard(); !strings.Contains(line, `"TOKEN"`) {
			t.Fatal(line)
		}
	}
	if pids := children(t); len(pids) != 1 {
		t.Fatal(pids)
	}
}

func TestWhenTheProcessDiesItsStreamsAreResetAndAnotherOneServes(t *testing.T) {
	w := newWorld(t)
	waiting := make(chan string)
	go func() { waiting <- w.ask("SLOW") }()
	if line := w.heard(); !strings.Contains(line, "SLOW") {
		t.Fatal(line)
	}
	pids := children(t)
	if len(pids) != 1 || syscall.Kill(pids[0], syscall.SIGKILL) != nil {
		t.Fatal(pids)
	}
	// Nobody but PID 1 can tell the host now.
	if ended := w.heard(); ended != "slow ended: "+yamux.ErrConnectionReset.Error() {
		t.Fatal(ended)
	}
	if have := <-waiting; have == value {
		t.Fatal(have)
	}
	if have := w.ask("TOKEN"); have != value {
		t.Fatal(have)
	}
	if again := children(t); len(again) != 1 || again[0] == pids[0] {
		t.Fatal(pids, again)
	}
	reap(pids[0])
}

func TestNothingOfASessionIsWrittenOnceItHasEnded(t *testing.T) {
	w := newWorld(t)
	waiting := make(chan string)
	go func() { waiting <- w.ask("SLOW") }()
	w.heard()
	// As with another host: what it says first is no frame.
	if _, err := io.WriteString(w.peer, "{\"hello\":true}\n"); err != nil {
		t.Fatal(err)
	}
	if err := <-w.served; !mux.IsProtocol(err) {
		t.Fatal(err)
	}
	w.network.Ended()
	if have := <-waiting; have == value {
		t.Fatal(have)
	}
	// Without a host the answer is no, and comes from the process alone.
	if have := w.ask("TOKEN"); !strings.Contains(have, `"ok":false`) {
		t.Fatal(have)
	}
	select {
	case line := <-w.asked:
		t.Fatal("the host was asked: ", line)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestAProcessThatStandsStillIsEndedForTheNextSession(t *testing.T) {
	w := newWorld(t)
	if have := w.ask("TOKEN"); have != value {
		t.Fatal(have)
	}
	pids := children(t)
	if len(pids) != 1 || syscall.Kill(pids[0], syscall.SIGSTOP) != nil {
		t.Fatal(pids)
	}
	// A signal takes a moment: before it does, the process can answer.
	if _, err := unix.Wait4(pids[0], nil, unix.WUNTRACED, nil); err != nil {
		t.Fatal(err)
	}
	w.network.Ended() // it cannot answer
	reap(pids[0])
	w.network.Began(w.session())
	if have := w.ask("TOKEN"); have != value {
		t.Fatal(have)
	}
	if again := children(t); len(again) != 1 || again[0] == pids[0] {
		t.Fatal(pids, again)
	}
}

func TestClosingEndsTheProcessAndTheSocket(t *testing.T) {
	w := newWorld(t)
	w.ask("TOKEN")
	pids := children(t)
	w.network.Close()
	for _, pid := range pids {
		reap(pid)
	}
	if left := children(t); len(left) != 0 {
		t.Fatal(left)
	}
	if conn, err := net.Dial("unix", w.socket); err == nil {
		conn.Close()
		t.Fatal("somebody listens")
	}
}

// reap is PID 1's work in a machine.
func reap(pid int) {
	_, _ = unix.Wait4(pid, nil, 0, nil)
}
