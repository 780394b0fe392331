package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"testing"

	"microagent.dev/guest/internal/testvectors"
)

// bytesSource is a Source over bytes that are all there, in pieces of a given size.
type bytesSource struct {
	data  []byte
	piece int
}

func (s *bytesSource) Fill() ([]byte, error) {
	if len(s.data) == 0 {
		return nil, io.EOF
	}
	return s.data[:min(len(s.data), s.piece)], nil
}
func (s *bytesSource) Take(n int) { s.data = s.data[n:] }
func (s *bytesSource) Credit(int) {}

func (s *bytesSource) Land(p []byte) (int, error) {
	view, err := s.Fill()
	n := copy(p, view)
	s.Take(n)
	return n, err
}

func TestHandshakeVectors(t *testing.T) {
	var v struct {
		Session, Host string
		Guest         []struct {
			Name, Line string
			Hello      *struct {
				V                            int
				Session, Agent, Kernel, Arch string
				Uptime                       int64 `json:"uptime_ms"`
			}
		}
	}
	testvectors.Read(t, "handshake.json", &v)
	hello, err := ParseHostHello([]byte(strings.TrimSuffix(v.Host, "\n")))
	if err != nil || hello.Session != v.Session || hello.Version != Version {
		t.Fatal(hello, err)
	}
	for _, g := range v.Guest {
		if g.Hello == nil || strings.Contains(g.Name, "future") {
			continue
		}
		line := GuestHello{g.Hello.Session, g.Hello.Agent, g.Hello.Kernel, g.Hello.Arch, g.Hello.Uptime}.Line()
		if string(line) != g.Line {
			t.Errorf("%s: %q, want %q", g.Name, line, g.Line)
		}
	}
	for _, bad := range []string{
		"", "MICROAGENT", "MICROAGENT {}", `MICROAGENT {"v":1}`, `MICROAGENT {"v":"1","session":"` + v.Session + `"}`,
		`MICROAGENT {"v":1,"session":"` + strings.ToUpper(v.Session) + `"}`, `MICROAGENT {"v":1,"session":"short"}`,
		v.Host[1:], `MICROAGENT {"v":1,"session":"` + v.Session + `","pad":"` + strings.Repeat("x", HelloBytesMax) + `"}`,
	} {
		if _, err := ParseHostHello([]byte(bad)); err == nil {
			t.Errorf("accepted %.80q", bad)
		}
	}
}

type frameVector struct {
	Name, Hex string
	Frame     *struct {
		Kind   Kind
		Length uint32
	}
	JSON    json.RawMessage
	Hole    uint64
	Invalid string
}

func frameVectors(t testing.TB) (list []frameVector) {
	testvectors.Read(t, "frames.json", &list)
	return list
}

func TestFrameVectors(t *testing.T) {
	for _, v := range frameVectors(t) {
		raw, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		var head [FrameHeaderBytes]byte
		copy(head[:], raw)
		h, err := ParseFrameHeader(head)
		if v.Invalid != "" {
			if err == nil {
				t.Errorf("%s: accepted", v.Name)
			}
			continue
		}
		if err != nil || h.Kind != v.Frame.Kind || h.Length != v.Frame.Length {
			t.Errorf("%s: %v %v", v.Name, h, err)
			continue
		}
		var back [FrameHeaderBytes]byte
		PutFrameHeader(back[:], h.Kind, int(h.Length))
		if !bytes.Equal(back[:], raw[:FrameHeaderBytes]) {
			t.Errorf("%s: written as %x", v.Name, back)
		}
		if v.JSON != nil {
			checkPayload(t, v, raw[FrameHeaderBytes:])
		}
	}
}

// checkPayload reads a JSON payload where the guest reads it and writes it where the guest writes it.
func checkPayload(t *testing.T, v frameVector, payload []byte) {
	var err error
	var back []byte
	var m map[string]any
	if err := json.Unmarshal(payload, &m); err != nil {
		t.Fatal(v.Name, err)
	}
	switch v.Frame.Kind {
	case KindResize:
		var rows, cols uint16
		rows, cols, err = ParseResize(payload)
		if float64(rows) != m["rows"] || float64(cols) != m["cols"] {
			t.Error(v.Name, rows, cols)
		}
	case KindSignal:
		var name string
		if name, err = ParseSignal(payload); name != m["signal"] {
			t.Error(v.Name, name)
		}
	case KindEntry:
		var e Entry
		e, err = ParseEntry(payload)
		back = e.Encode()
	case KindEnd:
		var e End
		e, err = ParseEnd(payload)
		back = e.Encode()
	case KindSkip:
		path, skipErr := ParseSkip(payload)
		err = skipErr
		back = Skip{path, Fail(Code(m["code"].(string)), m["message"].(string))}.Encode()
	case KindResult:
		r := ExecResult{Status: m["status"].(string), OOMKilled: m["oom_killed"].(bool), Drained: m["drained"].(bool)}
		o, _ := parseObject(payload)
		r.StartedNS, r.EndedNS, r.Signal = o.decimal("started_at_unix_ns"), o.decimal("ended_at_unix_ns"), o.str("signal")
		r.ExitCode = int(o.integer("exit_code", 0, 255, 0))
		back, err = r.Encode(), o.err
	}
	if err != nil {
		t.Error(v.Name, err)
	}
	if back != nil {
		sameJSON(t, v.Name, back, payload)
	}
}

func sameJSON(t *testing.T, name string, a, b []byte) {
	t.Helper()
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil || !reflect.DeepEqual(x, y) {
		t.Errorf("%s: %s, want %s", name, a, b)
	}
}

type requestVectors struct {
	Valid []struct {
		Name, Line string
		Request    json.RawMessage
	}
	Invalid []struct{ Name, Line string }
}

func TestRequestVectors(t *testing.T) {
	var v requestVectors
	testvectors.Read(t, "requests.json", &v)
	for _, r := range v.Valid {
		got, err := ParseRequest([]byte(r.Line))
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		text, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var have, want map[string]any
		if json.Unmarshal(text, &have) != nil || json.Unmarshal(r.Request, &want) != nil {
			t.Fatal(r.Name)
		}
		for key, value := range have {
			if value == nil {
				delete(have, key)
			}
		}
		if !reflect.DeepEqual(have, want) {
			t.Errorf("%s:\n have %s\n want %s", r.Name, text, r.Request)
		}
	}
	for _, r := range v.Invalid {
		if _, err := ParseRequest([]byte(r.Line)); err == nil {
			t.Errorf("%s: accepted", r.Name)
		} else if text := err.Error(); text[0] < 'A' || text[0] > 'Z' || strings.HasSuffix(text, ".") {
			t.Errorf("%s: not a sentence: %s", r.Name, text)
		}
	}
}

func TestEntryRefusals(t *testing.T) {
	var list []struct{ Name, JSON string }
	testvectors.Read(t, "hostile-entries.json", &list)
	for _, v := range list {
		if _, err := ParseEntry([]byte(v.JSON)); err == nil {
			t.Errorf("%s: accepted", v.Name)
		}
	}
}
