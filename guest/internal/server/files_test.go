package server

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"microagent.dev/guest/internal/testclient"
)

// item is one step of a tree in transfer.
type item struct {
	entry M
	parts [][]byte // data frames
	hole  uint64
}

// put sends a tree and returns the last reply.
func put(t *testing.T, c *testclient.Client, request M, items []item) M {
	t.Helper()
	request["op"] = "put"
	s, err := c.Open(request)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	for _, i := range items {
		_ = s.SendJSON(0x21, i.entry)
		for _, p := range i.parts {
			_ = s.Send(0x22, p)
		}
		if i.hole > 0 {
			_ = s.Send(0x23, binary.BigEndian.AppendUint64(nil, i.hole))
		}
		if i.entry["type"] == "file" {
			_ = s.Send(0x24, nil)
		}
	}
	_ = s.SendJSON(0x2f, M{"entries": len(items), "bytes": 0, "truncated": false})
	reply, err := s.Reply()
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// got is one entry of a received tree.
type got struct {
	M
	data  []byte
	holes uint64
	ended bool
}

func get(t *testing.T, c *testclient.Client, request M) (list []got, skips []M, end M) {
	t.Helper()
	s, err := c.Open(request)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if reply, err := s.Reply(); err != nil || reply["ok"] != true {
		t.Fatal(reply, err)
	}
	for {
		kind, payload, err := s.Frame()
		if err != nil {
			t.Fatal(err)
		}
		last := len(list) - 1
		switch kind {
		case 0x21:
			list = append(list, got{M: decode(t, payload)})
		case 0x22:
			list[last].data = append(list[last].data, payload...)
		case 0x23:
			n := binary.BigEndian.Uint64(payload)
			list[last].holes += n
			list[last].data = append(list[last].data, make([]byte, n)...)
		case 0x24:
			list[last].ended = true
		case 0x25:
			skips = append(skips, decode(t, payload))
		case 0x2f:
			return list, skips, decode(t, payload)
		default:
			t.Fatalf("kind %#x", kind)
		}
	}
}

func file(path string, mode int, parts ...[]byte) item {
	return item{entry: M{"path": path, "type": "file", "mode": mode, "uid": os.Getuid(), "gid": os.Getgid(), "mtime_s": 1_600_000_000, "mtime_ns": 5}, parts: parts}
}

func node(path, kind string, extra M) item {
	e := M{"path": path, "type": kind, "mode": 0o750, "uid": os.Getuid(), "gid": os.Getgid(), "mtime_s": 1_600_000_000, "mtime_ns": 5}
	for k, v := range extra {
		e[k] = v
	}
	return item{entry: e}
}

func TestTreeThereAndBack(t *testing.T) {
	c := connect(t)
	dir := filepath.Join(t.TempDir(), "deep", "er")
	big := bytes.Repeat([]byte("abcdefgh"), 300_000)
	sparse := file("sparse", 0o600, []byte("head"))
	sparse.hole = 10 << 20
	reply := put(t, c, M{"path": dir, "parents": true}, []item{
		node("", "dir", nil),
		file("a", 0o4755, []byte("hello "), []byte("world")),
		node("d", "dir", M{"mode": 0o500}),
		file("d/big", 0o644, big[:1_000_000], big[1_000_000:2_000_000], big[2_000_000:]),
		node("d/e", "dir", nil),
		file("d/e/empty", 0o644),
		node("hard", "hardlink", M{"link": "d/big"}),
		node("link", "symlink", M{"link": "/no/where\nelse"}),
		node("pipe", "fifo", nil),
		sparse,
		file("name with\nnewline and \u00fc", 0o644, []byte("x")),
		{entry: M{"path_b64": "/2E=", "type": "file", "mode": 0o644, "uid": os.Getuid(), "gid": os.Getgid()}},
	})
	if reply["ok"] != true || reply["entries"] != 12.0 {
		t.Fatal(reply)
	}
	list, skips, end := get(t, c, M{"op": "get", "path": dir})
	if len(skips) != 0 || end["truncated"] != false || end["entries"] != 12.0 {
		t.Fatal(skips, end)
	}
	paths := []string{}
	byPath := map[string]got{}
	for _, g := range list {
		path, ok := g.M["path"].(string)
		if !ok {
			path = "b64:" + g.M["path_b64"].(string)
		}
		paths = append(paths, path)
		byPath[path] = g
	}
	if want := "|a|d|d/big|d/e|d/e/empty|hard|link|name with\nnewline and \u00fc|pipe|sparse|b64:/2E="; strings.Join(paths, "|") != want {
		t.Fatalf("%q", paths)
	}
	if g := byPath["a"]; string(g.data) != "hello world" || g.M["mode"] != float64(0o4755) || g.M["mtime_s"] != 1.6e9 || g.M["mtime_ns"] != 5.0 || !g.ended {
		t.Fatal(g)
	}
	if g := byPath["d/big"]; !bytes.Equal(g.data, big) {
		t.Fatal(len(g.data))
	}
	if g := byPath["d"]; g.M["mode"] != float64(0o500) || g.M["mtime_s"] != 1.6e9 {
		t.Fatal(g)
	}
	if g := byPath["hard"]; g.M["type"] != "hardlink" || g.M["link"] != "d/big" {
		t.Fatal(g)
	}
	if g := byPath["link"]; g.M["type"] != "symlink" || g.M["link"] != "/no/where\nelse" || g.M["mtime_s"] != 1.6e9 {
		t.Fatal(g)
	}
	if g := byPath["sparse"]; len(g.data) != 4+10<<20 || g.holes < 9<<20 {
		t.Fatal(len(g.data), g.holes)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(dir, "sparse"), &st); err != nil || st.Blocks > 1000 {
		t.Fatal(st.Blocks, err)
	}
	leftovers, _ := filepath.Glob(filepath.Join(dir, ".microagent-*"))
	if len(leftovers) != 0 {
		t.Fatal(leftovers)
	}
	_ = os.Chmod(filepath.Join(dir, "d"), 0o700)
}

func TestPutSingleFileAndReplace(t *testing.T) {
	c := connect(t)
	path := filepath.Join(t.TempDir(), "x", "f")
	for _, text := range []string{"one", "two!"} {
		if reply := put(t, c, M{"path": path, "parents": true}, []item{file("", 0o640, []byte(text))}); reply["ok"] != true || reply["bytes"] != float64(len(text)) {
			t.Fatal(reply)
		}
		have, err := os.ReadFile(path)
		if err != nil || string(have) != text {
			t.Fatalf("%q %v", have, err)
		}
	}
	list, _, _ := get(t, c, M{"op": "get", "path": path})
	if len(list) != 1 || list[0].M["path"] != "" || list[0].M["type"] != "file" || string(list[0].data) != "two!" {
		t.Fatal(list)
	}
}

func TestPutStaysInside(t *testing.T) {
	c := connect(t)
	outside := t.TempDir()
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../"+filepath.Base(filepath.Dir(outside)), filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "in")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		item item
		code string
	}{
		{file("out/f", 0o644, []byte("x")), "permission_denied"},
		{file("up/f", 0o644, []byte("x")), "permission_denied"},
		{node("out", "dir", nil), "exists"},
		{file("../f", 0o644), "invalid_request"},
		{file("/f", 0o644), "invalid_request"},
		{file("a//b", 0o644), "invalid_request"},
		{node("h", "hardlink", M{"link": "out/f"}), "permission_denied"},
		{file("missing/f", 0o644), "not_found"},
		{file("real", 0o644), "is_a_directory"},
	} {
		reply := put(t, c, M{"path": dir}, []item{step.item})
		if step.item.entry["path"] == "real" && reply["code"] == "exists" {
			continue
		}
		if reply["ok"] != false || reply["code"] != step.code {
			t.Errorf("%v: %v", step.item.entry, reply)
		}
	}
	if reply := put(t, c, M{"path": dir}, []item{file("in/f", 0o644, []byte("x"))}); reply["ok"] != true {
		t.Error(reply)
	}
	names, _ := os.ReadDir(outside)
	if len(names) != 0 {
		t.Fatal(names)
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".microagent-*"))
	if len(left) != 0 {
		t.Fatal(left)
	}
}

func TestPutKeepsExistingDirectories(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o1777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	put(t, c, M{"path": dir}, []item{node("", "dir", nil), file("f", 0o644)})
	if st, _ := os.Stat(dir); st.Mode()&os.ModeSticky == 0 || st.Mode().Perm() != 0o777 {
		t.Fatal(st.Mode())
	}
}

func TestGetStopsAtItsCaps(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("f%02d", i)), make([]byte, 1000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	list, _, end := get(t, c, M{"op": "get", "path": dir, "max_entries": 5})
	if len(list) != 5 || end["truncated"] != true {
		t.Fatal(len(list), end)
	}
	list, _, end = get(t, c, M{"op": "get", "path": dir, "max_bytes": 2500})
	if end["truncated"] != true || end["bytes"] != 2500.0 || len(list) != 4 || len(list[3].data) != 500 {
		t.Fatal(len(list), end)
	}
	list, _, end = get(t, c, M{"op": "get", "path": dir, "max_name_bytes": 7})
	if end["truncated"] != true || len(list) != 3 || len(list[2].data) != 1000 {
		t.Fatal(len(list), end)
	}
	if _, _, end = get(t, c, M{"op": "get", "path": dir, "max_name_bytes": 60}); end["truncated"] != false {
		t.Fatal(end)
	}
	_, _, end = get(t, c, M{"op": "get", "path": dir, "max_bytes": 20000, "max_entries": 21})
	if end["truncated"] != false || end["bytes"] != 20000.0 {
		t.Fatal(end)
	}
}

func TestGetCountsWhatTheHostDoesNotRecord(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	for i := range 20 {
		if err := os.Symlink("nowhere", filepath.Join(dir, fmt.Sprintf("l%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(dir, "a"), filepath.Join(dir, "z")); err != nil {
		t.Fatal(err)
	}
	for records, sent := range []int{2, 3, 4} {
		list, skips, end := get(t, c, M{"op": "get", "path": dir, "max_records": records})
		if len(list) != sent || len(skips) != 0 || end["counted"] != float64(21-records) || end["truncated"] != false {
			t.Fatal(records, len(list), end)
		}
	}
	list, _, end := get(t, c, M{"op": "get", "path": dir, "max_records": 1, "max_entries": 10})
	if len(list) != 3 || end["counted"] != 7.0 || end["truncated"] != true {
		t.Fatal(len(list), end)
	}
	list, _, end = get(t, c, M{"op": "get", "path": dir, "max_records": 1, "max_name_bytes": 20})
	if len(list) != 3 || end["counted"] != 20.0 || end["truncated"] != false {
		t.Fatal(len(list), end)
	}
	list, _, end = get(t, c, M{"op": "get", "path": filepath.Join(dir, "l00"), "max_records": 0})
	if len(list) != 0 || end["counted"] != 1.0 {
		t.Fatal(len(list), end)
	}
	list, _, end = get(t, c, M{"op": "get", "path": dir})
	if _, has := end["counted"]; len(list) != 23 || has {
		t.Fatal(len(list), end)
	}
}

func TestStatAndReadDir(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	for _, name := range []string{"b", "a", "Z", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	list, _, end := get(t, c, M{"op": "readdir", "path": dir})
	names := ""
	for _, g := range list {
		names += g.M["path"].(string)
	}
	if names != "Zabcl" || end["truncated"] != false {
		t.Fatal(names, end)
	}
	list, _, end = get(t, c, M{"op": "readdir", "path": dir, "limit": 2})
	if len(list) != 2 || list[0].M["path"] != "Z" || list[1].M["path"] != "a" || end["truncated"] != true {
		t.Fatal(list, end)
	}
	for _, follow := range []bool{false, true} {
		reply, err := c.Call(M{"op": "stat", "path": dir + "/l", "follow": follow})
		if err != nil {
			t.Fatal(err)
		}
		e := reply["entry"].(M)
		if e["path"] != "l" || (e["type"] == "file") != follow {
			t.Fatal(e)
		}
	}
	for path, code := range map[string]string{dir + "/none": "not_found", dir + "/a/b": "not_a_directory"} {
		for _, op := range []string{"stat", "readdir", "get"} {
			reply, err := c.Call(M{"op": op, "path": path})
			if err != nil || reply["code"] != code {
				t.Error(op, path, reply, err)
			}
		}
	}
}

func TestTransfersBesideExecs(t *testing.T) {
	c := connect(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	data := make([]byte, 60_000)
	for i := range 8 {
		wg.Go(func() {
			path := filepath.Join(dir, fmt.Sprint(i))
			var parts [][]byte
			for range 20 {
				parts = append(parts, data)
			}
			if reply := put(t, c, M{"path": path}, []item{file("", 0o644, parts...)}); reply["ok"] != true {
				t.Error(reply)
			}
			o, err := c.Exec(M{"argv": []string{"cat", path}, "env": []string{"PATH=/usr/bin:/bin"}}, nil)
			if err != nil || len(o.Stdout) != 1_200_000 {
				t.Error(err, len(o.Stdout))
			}
			if list, _, _ := get(t, c, M{"op": "get", "path": path}); len(list[0].data) != 1_200_000 {
				t.Error(len(list[0].data))
			}
		})
	}
	wg.Wait()
}
