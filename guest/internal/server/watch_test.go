package server

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"microagent.dev/guest/internal/testclient"
)

// asked sends a request and gives its reply to a channel.
func asked(t *testing.T, c *testclient.Client, request M) <-chan M {
	t.Helper()
	s, err := c.Open(request)
	if err != nil {
		t.Fatal(err)
	}
	replies := make(chan M, 1)
	go func() {
		defer s.Close()
		reply, _ := s.Reply()
		replies <- reply
	}()
	return replies
}

func stillWaits(t *testing.T, replies <-chan M) {
	t.Helper()
	select {
	case reply := <-replies:
		t.Fatal("answered too early: ", reply)
	case <-time.After(60 * time.Millisecond):
	}
}

func TestWaits(t *testing.T) {
	c := connect(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if reply := <-asked(t, c, M{"op": "wait", "for": "port", "port": port}); reply["met"] != true {
		t.Fatal(reply)
	}
	closed := asked(t, c, M{"op": "wait", "for": "port", "port": port, "present": false, "timeout_ms": 20000})
	stillWaits(t, closed)
	listener.Close()
	if reply := <-closed; reply["met"] != true {
		t.Fatal(reply)
	}

	path := filepath.Join(t.TempDir(), "log")
	made := asked(t, c, M{"op": "wait", "for": "file", "path": path, "timeout_ms": 20000})
	stillWaits(t, made)
	if err := os.WriteFile(path, []byte("one\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if reply := <-made; reply["met"] != true {
		t.Fatal(reply)
	}
	grown := asked(t, c, M{"op": "wait", "for": "file", "path": path, "beyond": 4, "timeout_ms": 20000})
	stillWaits(t, grown)
	if err := os.WriteFile(path, []byte("one\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if reply := <-grown; reply["met"] != true {
		t.Fatal(reply)
	}

	late := <-asked(t, c, M{"op": "wait", "for": "process", "name": "no-such-program", "timeout_ms": 30})
	if late["met"] != false || late["seen"] == "" {
		t.Fatal(late)
	}
	self := filepath.Base(os.Args[0])
	if reply := <-asked(t, c, M{"op": "wait", "for": "process", "name": self}); reply["met"] != true {
		t.Fatal(reply)
	}
}

func TestRemove(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	outside := filepath.Join(t.TempDir(), "kept")
	deep := filepath.Join(dir, "tree", "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{outside, filepath.Join(deep, "file")} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(deep, "link")); err != nil {
		t.Fatal(err)
	}
	tree := filepath.Join(dir, "tree")
	if reply := <-asked(t, c, M{"op": "remove", "path": tree}); reply["code"] != "exists" {
		t.Fatal(reply)
	}
	if reply := <-asked(t, c, M{"op": "remove", "path": tree, "recursive": true}); reply["ok"] != true {
		t.Fatal(reply)
	}
	if _, err := os.Lstat(tree); !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Fatal(err)
	}
	if reply := <-asked(t, c, M{"op": "remove", "path": tree, "recursive": true}); reply["code"] != "not_found" {
		t.Fatal(reply)
	}
}

func TestChanges(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	for _, name := range []string{"old", "written", "sub/kept", "sub/gone"} {
		path := filepath.Join(dir, name)
		_ = os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(30 * time.Millisecond)
	since := time.Now().UnixNano()
	time.Sleep(30 * time.Millisecond)
	if err := os.WriteFile(filepath.Join(dir, "written"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "sub/gone")); err != nil {
		t.Fatal(err)
	}
	s, err := c.Open(M{"op": "changes", "path": dir, "since_unix_ns": strconv.FormatInt(since, 10)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	var paths []string
	for {
		kind, payload, err := s.Frame()
		if err != nil {
			t.Fatal(err)
		}
		if kind == 0x2f {
			break
		}
		var entry M
		if err := json.Unmarshal(payload, &entry); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, entry["path"].(string))
	}
	slices.Sort(paths)
	if !slices.Equal(paths, []string{"sub", "written"}) {
		t.Fatal(paths)
	}
}
