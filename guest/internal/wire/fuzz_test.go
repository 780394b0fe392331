package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	"reflect"
	"strconv"
	"testing"

	"microagent.dev/guest/internal/testvectors"
	"unicode/utf8"
)

func FuzzHostHello(f *testing.F) {
	f.Add([]byte(`MICROAGENT {"v":1,"session":"00112233445566778899aabbccddeeff"}`))
	f.Add([]byte(`MICROAGENT {"v":1e9}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		h, err := ParseHostHello(line)
		if err == nil && len(h.Session) != 32 {
			t.Fatal(h)
		}
	})
}

// The parser must agree with encoding/json on what is JSON and what it says.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+7,true,false,null,"x\u00e9\ud83d\ude00\\\/\b\f\n\r\t"]}`, `"\ud83d"`, `[[[[[[]]]]]]`, `01`, `1.`, `{"a":1,"a":2}`, ` 1 `, `"` + "\x7f" + `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := parseJSON(text)
		if !utf8.Valid(text) {
			if err == nil {
				t.Fatal("accepted what is not UTF-8")
			}
			return
		}
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		wantErr := d.Decode(&want)
		if wantErr == nil {
			if _, more := d.Token(); more != io.EOF {
				wantErr = errJSON
			}
		}
		if err != nil {
			if wantErr == nil && depth(want) < jsonDepthMax {
				t.Fatalf("refused: %v", err)
			}
			return
		}
		if wantErr != nil {
			t.Fatalf("accepted: %v", wantErr)
		}
		if have := plain(v); !reflect.DeepEqual(have, want) {
			t.Fatalf("%#v, want %#v", have, want)
		}
	})
}

func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			most = max(most, depth(item))
		}
	case map[string]any:
		for _, item := range v {
			most = max(most, depth(item))
		}
	default:
		return 0
	}
	return most + 1
}

func plain(v value) any {
	switch v.kind {
	case kindBool:
		return v.boolean
	case kindNumber:
		return json.Number(v.text)
	case kindString:
		return v.text
	case kindArray:
		list := []any{}
		for _, item := range v.items {
			list = append(list, plain(item))
		}
		return list
	case kindObject:
		m := map[string]any{}
		for _, item := range v.members {
			m[item.name] = plain(item.value)
		}
		return m
	}
	return nil
}

func FuzzString(f *testing.F) {
	f.Add("plain \"quoted\" \\ \x00\x1f\x7f \u00e9 \xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		v, err := parseJSON(appendString(nil, s))
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(appendString(nil, s), &want); err != nil || v.text != want {
			t.Fatal(v.text, want, err)
		}
		if utf8.ValidString(s) && v.text != s {
			t.Fatalf("%q", v.text)
		}
	})
}

func FuzzRequest(f *testing.F) {
	var v requestVectors
	testvectors.Read(f, "requests.json", &v)
	for _, r := range v.Valid {
		f.Add([]byte(r.Line))
	}
	for _, r := range v.Invalid {
		f.Add([]byte(r.Line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := ParseRequest(line)
		if err != nil {
			return
		}
		if r.Exec != nil && (len(r.Exec.Argv) == 0 || r.Exec.Argv[0] == "" || r.Exec.TimeoutMS < 0) {
			t.Fatal(r.Exec)
		}
		if r.Put != nil && r.Put.Path[0] != '/' || r.Get != nil && r.Get.Path[0] != '/' {
			t.Fatal(r)
		}
		if r.Configure != nil && (len(r.Configure.Entropy) < 32 || len(r.Configure.Hostname) > 64) {
			t.Fatal(r.Configure)
		}
	})
}

func FuzzEntry(f *testing.F) {
	for _, v := range frameVectors(f) {
		if v.Frame != nil && v.Frame.Kind == KindEntry {
			f.Add([]byte(v.JSON))
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := ParseEntry(payload)
		if err != nil {
			return
		}
		if CheckEntryPath(e.Path) != nil || e.Mode > 0o7777 {
			t.Fatal(e)
		}
		back, err := ParseEntry(e.Encode())
		if e.Type != "char" && e.Type != "block" {
			e.DevMajor, e.DevMinor = 0, 0
		}
		if err != nil || back != e {
			t.Fatal(back, e, err)
		}
	})
}

// Frames are read to the end in pieces of any size, and never more than their caps are held.
func FuzzFrames(f *testing.F) {
	var all []byte
	for _, v := range frameVectors(f) {
		raw, _ := hex.DecodeString(v.Hex)
		f.Add(append([]byte("{}\n"), raw...), 1)
		if v.Frame != nil {
			all = append(all, raw...)
		}
	}
	f.Add(append([]byte("{}\n"), all...), 7)
	f.Fuzz(func(t *testing.T, data []byte, piece int) {
		if piece < 1 || piece > 1<<16 {
			return
		}
		r := NewFrameReader(&bytesSource{data, piece})
		if line, err := r.Line(100); err != nil || len(line) > 100 {
			return
		}
		for {
			h, err := r.Next()
			if err != nil {
				return
			}
			switch h.Kind {
			case KindStdin, KindStdout, KindStderr, KindData:
				n := 0
				err = r.Each(h, false, func(p []byte) error { n += len(p); return nil })
				if err == nil && n != int(h.Length) {
					t.Fatal(n, h)
				}
			default:
				var p []byte
				if p, err = r.Payload(h); err == nil && len(p) != int(h.Length) {
					t.Fatal(len(p), h)
				}
				if err == nil {
					_, _, _ = ParseResize(p)
					_, _ = ParseSignal(p)
					_, _ = ParseEnd(p)
					_, _ = ParseSkip(p)
				}
			}
			if err != nil {
				return
			}
		}
	})
}

func FuzzInteger(f *testing.F) {
	f.Add("1", int64(0), int64(10))
	f.Fuzz(func(t *testing.T, number string, low, high int64) {
		o, err := parseObject([]byte(`{"n":` + number + `}`))
		if err != nil {
			return
		}
		n := o.integer("n", low, high, low)
		if o.err == nil && o.get("n") != nil && (n < low || n > high) {
			t.Fatal(n, low, high)
		}
		if want, err := strconv.ParseInt(number, 10, 64); err == nil && want >= low && want <= high && o.err != nil {
			t.Fatal(o.err)
		}
	})
}
