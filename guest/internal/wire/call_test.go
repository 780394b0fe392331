package wire

import (
	"encoding/json"
	"net/netip"
	"testing"

	"microagent.dev/guest/internal/testvectors"
)

func TestCallVectors(t *testing.T) {
	var v struct {
		Accepted []struct {
			Name, Line string
			Foreign    bool
		}
		Answers []struct {
			Name, Line string
			Answer
		}
		InvalidAnswers []struct{ Name, Line string } `json:"invalid_answers"`
	}
	testvectors.Read(t, "guest-calls.json", &v)
	lines := map[string][]byte{
		"tcp over IPv4":           TCPCall(netip.MustParseAddrPort("93.184.216.34:443"), 40112, 0),
		"tcp with a small window": TCPCall(netip.MustParseAddrPort("93.184.216.34:443"), 40112, 8192),
		"tcp over IPv6":           TCPCall(netip.MustParseAddrPort("[2606:2800:21f:cb07::1]:80"), 1, 0),
		"udp":                     UDPCall(netip.MustParseAddrPort("1.1.1.1:123"), 5000),
		"dns":                     DNSCall(netip.MustParseAddr("10.0.2.3")),
		"unmediated":              UnmediatedCall("icmp", netip.MustParseAddr("8.8.8.8"), 3),
		"secret":                  SecretCall("TOKEN"),
		"mediation":               MediationCall(),
	}
	sent := 0
	for _, c := range v.Accepted {
		if c.Foreign {
			continue
		}
		sent++
		if have := string(lines[c.Name]); have != c.Line+"\n" {
			t.Errorf("%s: %q, want %q", c.Name, have, c.Line)
		}
	}
	if sent != len(lines) {
		t.Error(sent, len(lines))
	}
	if len(v.Answers) == 0 || len(v.InvalidAnswers) == 0 {
		t.Error("No answers")
	}
	for _, a := range v.Answers {
		if have, err := ParseAnswer([]byte(a.Line)); err != nil || have != a.Answer {
			t.Errorf("%s: %v %v", a.Name, have, err)
		}
	}
	for _, a := range v.InvalidAnswers {
		if have, err := ParseAnswer([]byte(a.Line)); err == nil {
			t.Errorf("%s: accepted as %v", a.Name, have)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"ok":false,"code":"denied","message":"x"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		if a, err := ParseAnswer(line); err == nil {
			if !a.OK && a.Code == "" {
				t.Fatal(a)
			}
			if _, err := json.Marshal(a); err != nil {
				t.Fatal(err)
			}
		}
	})
}
