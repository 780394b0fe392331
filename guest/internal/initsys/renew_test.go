package initsys

import (
	"testing"

	"microagent.dev/guest/internal/wire"
)

func TestHostsOfARenamedMachine(t *testing.T) {
	old := &wire.Identity{Hostname: "old", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"old"}}, {IP: "10.0.0.2", Names: []string{"db", "cache"}}}}
	next := &wire.Identity{Hostname: "new", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"new"}}}}
	before := hostsText("127.0.0.1 localhost\n10.9.9.9 older old.example\n", old)
	got := withoutEntries(before, old) + hostLines(next)
	if want := "127.0.0.1 localhost\n10.9.9.9 older old.example\n127.0.1.1 new\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostLinesNameTheMachine(t *testing.T) {
	id := &wire.Identity{Hostname: "new", Hosts: []wire.HostEntry{{IP: "10.0.0.2", Names: []string{"db", "cache"}}}}
	if got, want := hostLines(id), "10.0.0.2 db cache\n127.0.1.1 new\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFilesWaitForTheirNewEnd(t *testing.T) {
	path := t.TempDir() + "/hosts"
	if err := writeFile(path, "127.0.0.1 localhost\n127.0.1.1 a-rather-long-name\n10.0.0.9 added\n"); err != nil {
		t.Fatal(err)
	}
	f := open(path)
	f.keep(withoutEntries(f.text, &wire.Identity{Hostname: "a-rather-long-name"}))
	if failure := f.add("127.0.1.1 b\n"); failure != nil {
		t.Fatal(failure.Message)
	}
	f.close()
	if got, want := text(path), "127.0.0.1 localhost\n10.0.0.9 added\n127.0.1.1 b\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func text(path string) string {
	text, _ := read(path)
	return text
}

func TestUUIDsAreOfTheRandomKind(t *testing.T) {
	a, b := randomUUID(), randomUUID()
	if a == b || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("got %x and %x", a, b)
	}
}
