package server

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"microagent.dev/guest/internal/testclient"
)

// The server under test is a process of its own, as it is in a machine: this test binary started
// again, serving its stdin and stdout.
const asServer = "MICROAGENT_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		_ = ServeStdio()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type M = testclient.M

// startServer gives the host's end of a link to a fresh server.
func startServer(t *testing.T) net.Conn {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "server")
	ours := os.NewFile(uintptr(fds[0]), "host")
	conn, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	ours.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asServer+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() {
		conn.Close()
		_ = cmd.Wait()
	})
	return conn
}

var configuration = M{
	"op": "configure", "time_unix_ns": "1700000000000000000",
	"entropy": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "hostname": "test",
	"root": M{"base": M{"device": "/dev/vda", "fstype": "erofs"}, "upper": M{"tmpfs_bytes": 1 << 20}},
}

func connect(t *testing.T) *testclient.Client {
	t.Helper()
	c, err := testclient.Connect(startServer(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Session.Close() })
	reply, err := c.Call(configuration)
	if err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	return c
}

func mustExec(t *testing.T, c *testclient.Client, request M, stdin []byte) *testclient.Outcome {
	t.Helper()
	if request["env"] == nil {
		request["env"] = []string{"PATH=" + os.Getenv("PATH")}
	}
	o, err := c.Exec(request, stdin)
	if err != nil {
		t.Fatalf("%v: %v %v", request["argv"], err, o.Reply)
	}
	return o
}

func TestHandshakeAndOrder(t *testing.T) {
	c, err := testclient.Connect(startServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Session.Close()
	if c.Hello["session"] != testclient.SessionID || c.Hello["v"] != 1.0 {
		t.Fatal(c.Hello)
	}
	for _, step := range []struct {
		request M
		ok      bool
		code    string
	}{
		{M{"op": "ping"}, true, ""},
		{M{"op": "exec", "argv": []string{"true"}}, false, "not_configured"},
		{M{"op": "stat", "path": "/"}, false, "not_configured"},
		{M{"op": "configure"}, false, "invalid_request"},
		{configuration, true, ""},
		{configuration, false, "already_configured"},
		{M{"op": "stat", "path": "/"}, true, ""},
		{M{"op": "dance"}, false, "unsupported"},
		{M{"op": "exec"}, false, "invalid_request"},
		{M{"op": "exec", "argv": []string{"true"}, "env": []string{"NOVALUE"}}, false, "invalid_request"},
		{M{"op": "stat", "path": "relative"}, false, "invalid_request"},
	} {
		reply, err := c.Call(step.request)
		if err != nil {
			t.Fatal(step.request, err)
		}
		code, _ := reply["code"].(string)
		if reply["ok"] != step.ok || code != step.code {
			t.Errorf("%v: %v", step.request, reply)
		}
	}
}

func TestHandshakeSkipsNoiseAndComesAgain(t *testing.T) {
	conn := startServer(t)
	_, _ = conn.Write([]byte("noise\nMICROAGENT not json\nMICROAGENT {\"v\":9,\"session\":\"" + testclient.SessionID + "\"}\n"))
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil || !strings.Contains(string(buf[:n]), `"error":{"code":"unsupported"`) {
		t.Fatalf("%q %v", buf[:n], err)
	}
	for range 3 {
		// Every time in the middle of the session before, as after a restore.
		_, _ = conn.Write([]byte("MICROAGENT {\"v\":1,\"session\":\"" + testclient.SessionID + "\"}\n"))
		n, err = conn.Read(buf)
		if err != nil || !strings.HasPrefix(string(buf[:n]), `MICROAGENT {"v":1,"session":"`+testclient.SessionID) {
			t.Fatalf("%q %v", buf[:n], err)
		}
	}
}

func TestExecExits(t *testing.T) {
	c := connect(t)
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "echo out; echo err >&2; exit 3"}}, nil)
	if string(o.Stdout) != "out\n" || string(o.Stderr) != "err\n" || o.Result["status"] != "exited" || o.Result["exit_code"] != 3.0 || o.Result["drained"] != true {
		t.Fatalf("%+v %q %q", o.Result, o.Stdout, o.Stderr)
	}
	o = mustExec(t, c, M{"argv": []string{"sh", "-c", "kill -SEGV $$"}}, nil)
	if o.Result["status"] != "signaled" || o.Result["signal"] != "SIGSEGV" || o.Result["exit_code"] != nil {
		t.Fatal(o.Result)
	}
}

func TestExecNeverStarted(t *testing.T) {
	c := connect(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/no/such/interpreter\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		request M
		errno   string
		text    string
	}{
		{M{"argv": []string{"no-such-command"}}, "ENOENT", "not in PATH"},
		{M{"argv": []string{"/no/such/file"}}, "ENOENT", "Could not start"},
		{M{"argv": []string{"true"}, "cwd": "/no/such/dir"}, "ENOENT", "working directory"},
		{M{"argv": []string{script}}, "ENOENT", "interpreter"},
		{M{"argv": []string{plain}}, "EACCES", "Could not start"},
		{M{"argv": []string{"true"}, "user": "no-such-user"}, "ENOENT", "/etc/passwd"},
		{M{"argv": []string{"true"}, "user": "0:no-such-group"}, "ENOENT", "/etc/group"},
	} {
		step.request["env"] = []string{"PATH=/usr/bin:/bin"}
		o, err := c.Exec(step.request, nil)
		if err != testclient.ErrRefused || o.Reply["code"] != "not_started" || o.Reply["errno"] != step.errno || !strings.Contains(o.Reply["message"].(string), step.text) {
			t.Errorf("%v: %v %v", step.request, o.Reply, err)
		}
	}
}

func TestExecStdinAndEnvironment(t *testing.T) {
	c := connect(t)
	text := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	o := mustExec(t, c, M{"argv": []string{"cat"}}, text)
	if !bytes.Equal(o.Stdout, text) {
		t.Fatalf("%d bytes came back of %d", len(o.Stdout), len(text))
	}
	o = mustExec(t, c, M{"argv": []string{"cat"}}, nil)
	if len(o.Stdout) != 0 || o.Result["exit_code"] != 0.0 {
		t.Fatal(o.Result)
	}
	o = mustExec(t, c, M{"argv": []string{"sh", "-c", "pwd; echo $A; echo ${HOME:+home}"}, "cwd": "/usr", "env": []string{"PATH=/usr/bin:/bin", "A=b c"}}, nil)
	if string(o.Stdout) != "/usr\nb c\nhome\n" {
		t.Fatalf("%q", o.Stdout)
	}
	// A command that closes its stdin or never reads it.
	o = mustExec(t, c, M{"argv": []string{"sh", "-c", "exec 0<&-; sleep 0.1; echo done"}}, text)
	if string(o.Stdout) != "done\n" {
		t.Fatalf("%q", o.Stdout)
	}
}

func TestExecClosesItsOutputs(t *testing.T) {
	c := connect(t)
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "exec 1>&- 2>&-; sleep 0.2; exit 7"}}, nil)
	if o.Result["exit_code"] != 7.0 || o.Result["drained"] != true {
		t.Fatal(o.Result)
	}
}

func TestExecTimeoutKillsTheGroup(t *testing.T) {
	c := connect(t)
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "trap '' TERM; (trap '' TERM; sleep 60; echo never) & sleep 60; sleep 60"}, "timeout_ms": 200}, nil)
	if o.Result["status"] != "timed_out" || o.Result["signal"] != "SIGKILL" || o.Result["drained"] != true {
		t.Fatal(o.Result)
	}
	o = mustExec(t, c, M{"argv": []string{"sh", "-c", "trap 'exit 9' TERM; (trap '' TERM; sleep 60) & while :; do sleep 0.05; done"}, "timeout_ms": 200}, nil)
	if o.Result["status"] != "timed_out" || o.Result["exit_code"] != 9.0 || o.Result["drained"] != true {
		t.Fatal(o.Result)
	}
}

func TestExecSignal(t *testing.T) {
	c := connect(t)
	s, err := c.Open(M{"op": "exec", "argv": []string{"sh", "-c", "trap 'echo got; exit 4' USR1; echo ready; while :; do sleep 0.05; done"}, "env": []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	kind, payload, err := s.Frame()
	if err != nil || kind != 0x11 || string(payload) != "ready\n" {
		t.Fatal(kind, payload, err)
	}
	if err := s.SendJSON(4, M{"signal": "SIGUSR1"}); err != nil {
		t.Fatal(err)
	}
	o := &testclient.Outcome{}
	if err := s.Collect(o); err != nil || string(o.Stdout) != "got\n" || o.Result["exit_code"] != 4.0 {
		t.Fatal(o, err)
	}
}

// A signal must get past stdin that nobody reads.
func TestExecSignalBehindUnreadStdin(t *testing.T) {
	c := connect(t)
	s, err := c.Open(M{"op": "exec", "argv": []string{"sleep", "60"}, "stdin": true, "env": []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	for range 6 { // more than the pipe holds, less than the window
		if err := s.Send(1, make([]byte, 32000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SendJSON(4, M{"signal": "SIGTERM"}); err != nil {
		t.Fatal(err)
	}
	o := &testclient.Outcome{}
	if err := s.Collect(o); err != nil || o.Result["signal"] != "SIGTERM" {
		t.Fatal(o, err)
	}
}

func TestExecStreamClosedKillsTheGroup(t *testing.T) {
	c := connect(t)
	s, err := c.Open(M{"op": "exec", "argv": []string{"sh", "-c", "echo $$; sleep 60"}, "env": []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	reply, err := s.Reply()
	if err != nil {
		t.Fatal(err)
	}
	pid := int(reply["pid"].(float64))
	s.Close()
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(5 * time.Millisecond)
	}
}

func TestExecHeldPipesEndTheDrain(t *testing.T) {
	c := connect(t)
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "(sleep 8; echo late) & echo early"}}, nil)
	if string(o.Stdout) != "early\n" || o.Result["drained"] != false || o.Result["exit_code"] != 0.0 {
		t.Fatalf("%q %v", o.Stdout, o.Result)
	}
}

func TestExecTerminal(t *testing.T) {
	c := connect(t)
	s, err := c.Open(M{"op": "exec", "argv": []string{"sh", "-c", "stty size; read line; stty size; echo \"got $line\"; tty; cat"}, "stdin": true, "tty": M{"rows": 33, "cols": 77}, "env": []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	_, first, err := s.Frame()
	if err != nil || !strings.HasPrefix(string(first), "33 77") {
		t.Fatalf("%q %v", first, err)
	}
	_ = s.SendJSON(3, M{"rows": 10, "cols": 20})
	_ = s.Send(1, []byte("hello\n"))
	_ = s.Send(2, nil)
	o := &testclient.Outcome{}
	if err := s.Collect(o); err != nil {
		t.Fatal(err)
	}
	if text := string(o.Stdout); !strings.Contains(text, "10 20\r\n") || !strings.Contains(text, "got hello\r\n/dev/pts/") || o.Result["exit_code"] != 0.0 || len(o.Stderr) != 0 {
		t.Fatalf("%q %v", text, o.Result)
	}
}

func TestExecManyAtOnceAndFloods(t *testing.T) {
	c := connect(t)
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			want := 200_000 + i
			o, err := c.Exec(M{"argv": []string{"sh", "-c", "head -c $N /dev/zero; head -c $N /dev/zero >&2; exit 5"}, "env": []string{"PATH=/usr/bin:/bin", "N=" + itoa(want)}}, nil)
			if err != nil || len(o.Stdout) != want || len(o.Stderr) != want || o.Result["exit_code"] != 5.0 {
				t.Error(err, len(o.Stdout), len(o.Stderr), o.Result, o.Reply)
			}
		})
	}
	wg.Wait()
}

func itoa(n int) string {
	var b [20]byte
	at := len(b)
	for ; n > 0; n /= 10 {
		at--
		b[at] = byte('0' + n%10)
	}
	return string(b[at:])
}

// A command that writes for ever must not fill the agent: it waits for the host.
func TestExecBackpressure(t *testing.T) {
	c := connect(t)
	s, err := c.Open(M{"op": "exec", "argv": []string{"yes"}, "env": []string{"PATH=/usr/bin:/bin"}})
	if err != nil {
		t.Fatal(err)
	}
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	time.Sleep(100 * time.Millisecond)
	for range 100 {
		if reply, err := c.Call(M{"op": "ping"}); err != nil || reply["ok"] != true {
			t.Fatal(reply, err)
		}
	}
	_ = s.SendJSON(4, M{"signal": "SIGKILL"})
	o := &testclient.Outcome{}
	if err := s.Collect(o); err != nil || o.Result["signal"] != "SIGKILL" || o.Result["drained"] != true {
		t.Fatal(o.Result, err)
	}
}

func decode(t *testing.T, payload []byte) M {
	t.Helper()
	var m M
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatalf("%q: %v", payload, err)
	}
	return m
}
