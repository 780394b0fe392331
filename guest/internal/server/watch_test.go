package server

import (
	"net"
	"os"
	"path/filepath"
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
