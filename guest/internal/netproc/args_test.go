package netproc

import (
	"net/netip"
	"reflect"
	"testing"
)

func TestWordsAreReadBack(t *testing.T) {
	four, six := netip.MustParseAddr("10.0.2.2"), netip.MustParseAddr("fd6d:6167:656e:7400::2")
	for _, args := range []Args{
		{MTU: 65520, Tun: true, Gateways: [2]netip.Addr{four, six}, Secrets: true, Mediation: true, Cut: true, Died: true},
		{MTU: 1280, Tun: true, Gateways: [2]netip.Addr{{}, six}, Died: true},
		{MTU: 1280, Tun: true, Gateways: [2]netip.Addr{four, {}}},
		{Secrets: true},
		{Mediation: true, Cut: true},
	} {
		if have, ok := ParseArgs(args.Words()); !ok || !reflect.DeepEqual(have, args) {
			t.Errorf("%v: %v %v", args.Words(), have, ok)
		}
	}
	for _, words := range [][]string{nil, {programName}, {programName, "much"}} {
		if have, ok := ParseArgs(words); ok {
			t.Error(words, have)
		}
	}
}

// What a kernel says to everybody when an interface comes up must not start the process.
func TestOnlyPacketsForOneReceiverAreWanted(t *testing.T) {
	packet := func(version byte, size int, dst netip.Addr) []byte {
		b := make([]byte, 10+size)
		b[10] = version << 4
		at := 16
		if version == 6 {
			at = 24
		}
		if size >= at+len(dst.AsSlice()) {
			copy(b[10+at:], dst.AsSlice())
		}
		return b
	}
	address := netip.MustParseAddr
	for _, c := range []struct {
		packet []byte
		want   bool
	}{
		{packet(4, 20, address("10.0.2.2")), true},
		{packet(4, 20, address("224.0.0.22")), false},
		{packet(4, 20, address("255.255.255.255")), false},
		{packet(6, 40, address("fd6d:6167:656e:7400::2")), true},
		{packet(6, 40, address("ff02::16")), false},
		{packet(6, 39, address("fe80::1")), false},
		{packet(4, 19, address("10.0.2.2")), false},
		{packet(5, 60, address("10.0.2.2")), false},
		{nil, false},
		{make([]byte, 10), false},
	} {
		if have := wanted(c.packet); have != c.want {
			t.Errorf("%x: %v", c.packet, have)
		}
	}
}
