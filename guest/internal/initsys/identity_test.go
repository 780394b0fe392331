package initsys

import (
	"testing"

	"microagent.dev/guest/internal/wire"
)

func TestHostsText(t *testing.T) {
	c := &wire.Identity{Hostname: "box", Hosts: []wire.HostEntry{{IP: "127.0.1.1", Names: []string{"box"}}, {IP: "10.0.0.2", Names: []string{"db", "cache"}}}}
	const standard = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	for _, step := range []struct{ name, have, want string }{
		{"none", "", standard + "127.0.1.1 box\n10.0.0.2 db cache\n"},
		{"blank", " \n\n", standard + "127.0.1.1 box\n10.0.0.2 db cache\n"},
		{"an image's own, unfinished line", "1.2.3.4 other", "1.2.3.4 other\n127.0.1.1 box\n10.0.0.2 db cache\n"},
		{"some there", "127.0.1.1 box # me\n10.0.0.2 db\n", "127.0.1.1 box # me\n10.0.0.2 db\n10.0.0.2 cache\n"},
		{"only in a comment", "# 127.0.1.1 box\n", "# 127.0.1.1 box\n127.0.1.1 box\n10.0.0.2 db cache\n"},
	} {
		if have := hostsText(step.have, c); have != step.want {
			t.Errorf("%s: %q, want %q", step.name, have, step.want)
		}
		if again := hostsText(step.want, c); again != step.want {
			t.Errorf("%s: changes again: %q", step.name, again)
		}
	}
	alone := &wire.Identity{Hostname: "box"}
	if have := hostsText("127.0.0.1 localhost\n", alone); have != "127.0.0.1 localhost\n127.0.1.1 box\n" {
		t.Errorf("%q", have)
	}
}
