package files

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// A large file is what was sent, whatever the sizes of its parts and wherever its holes are.
func TestLargeFiles(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var want bytes.Buffer
		total := directMin + random.IntN(4<<20)
		f, err := createFile(fd, "large", wire.Entry{Path: "large", Type: "file", Mode: 0o640, Size: int64(total)})
		if err != nil {
			t.Fatal(err)
		}
		for want.Len() < total {
			if random.IntN(8) == 0 {
				// Aligned holes keep the file on its way past the cache, others do not.
				hole := directBlock * random.IntN(200)
				if seed%2 == 0 {
					hole += random.IntN(5000)
				}
				if err := f.skip(int64(hole)); err != nil {
					t.Fatal(err)
				}
				want.Write(make([]byte, hole))
				continue
			}
			part := make([]byte, 1+random.IntN(300_000))
			for i := range part {
				part[i] = byte(random.Uint32())
			}
			if err := f.write(part); err != nil {
				t.Fatal(err)
			}
			want.Write(part)
		}
		if err := f.finish(false); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "large"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("seed %d: %d bytes came out differently, wanted %d", seed, len(got), want.Len())
		}
	}
}
