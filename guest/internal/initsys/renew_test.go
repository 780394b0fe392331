package initsys

import (
	"testing"

	"microagent.dev/guest/internal/wire"
)

func TestHostsOfARenamedMachine(t *testing.T) {
	old := &wire.Identity{Hostname: "old", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"old"}}, {IP: "10.0.0.2", Names: []string{"db", "cache"}}}}
	next := &wire.Identity{Hostname: "new", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"new"}}}}
	before := hostsText("127.0.0.1 localhost\n10.9.9.9 older old.example\n", old)
	got := renamedHosts(before, old, next)
	if want := "127.0.0.1 localhost\n10.9.9.9 older old.example\n127.0.1.1 new\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHostsWhereOneLineDiffers(t *testing.T) {
	name := func(name string) *wire.Identity {
		return &wire.Identity{Hostname: name, Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{name}}}}
	}
	have := "127.0.0.1 localhost\n127.0.1.1 old\n10.0.0.1 127.0.1.1 old\n"
	if got, want := renamedHosts(have, name("old"), name("new")), "127.0.0.1 localhost\n127.0.1.1 new\n10.0.0.1 127.0.1.1 old\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUUIDsAreOfTheRandomKind(t *testing.T) {
	a, b := randomUUID(), randomUUID()
	if a == b || a[6]>>4 != 4 || a[8]>>6 != 2 {
		t.Errorf("got %x and %x", a, b)
	}
}
