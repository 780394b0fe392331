package initsys

import (
	"testing"

	"microagent.dev/guest/internal/wire"
)

func TestHostsOfARenamedMachine(t *testing.T) {
	old := &wire.Identity{Hostname: "old", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"old"}}, {IP: "10.0.0.2", Names: []string{"db", "cache"}}}}
	next := &wire.Identity{Hostname: "new", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"new"}}}}
	before := hostsText("127.0.0.1 localhost\n10.9.9.9 older old.example\n", old)
	got := hostsText(withoutEntries(before, old), next)
	if want := "127.0.0.1 localhost\n10.9.9.9 older old.example\n127.0.1.1 new\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUUIDsAreOfTheRandomKind(t *testing.T) {
	a, b := randomUUID(), randomUUID()
	if a == b || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("got %x and %x", a, b)
	}
}
