package server

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// What the cache does not hold is read past it; the bytes and the caps are the same.
func TestLargeFilesThatAreNotCached(t *testing.T) {
	c := connect(t)
	path := filepath.Join(t.TempDir(), "large")
	random := rand.New(rand.NewPCG(7, 7))
	for _, size := range []int{1 << 20, 3<<20 + 123, 4 << 20, 4<<20 + 4096} {
		want := make([]byte, size)
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		for _, most := range []int{size + 1, size, size - 1, 2<<20 + 5} {
			write(t, path, want)
			list, _, end := get(t, c, M{"op": "get", "path": path, "max_bytes": most})
			length := min(size, most)
			if len(list) != 1 || !bytes.Equal(list[0].data, want[:length]) {
				t.Fatalf("%d bytes, at most %d: got %d, wanted the first %d", size, most, len(list[0].data), length)
			}
			if end["bytes"] != float64(length) || end["truncated"] != (most < size) || !list[0].ended {
				t.Fatal(end, list[0].M)
			}
		}
	}
}

// write puts a file on the disk and out of the cache.
func write(t *testing.T, path string, bytes []byte) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(bytes); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}
