package mux

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// Whatever is mixed of landing and reading, the bytes are those that were sent, in their order.
func TestLandedBytesKeepTheirOrder(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 2))
		want := make([]byte, 3<<20+random.IntN(1000))
		for i := range want {
			want[i] = byte(random.Uint32())
		}
		got := make(chan []byte, 1)
		client := pair(t, func(st *Stream) {
			defer st.Release()
			sizes := rand.New(rand.NewPCG(seed, 3))
			var have []byte
			for {
				part := make([]byte, 1+sizes.IntN(100_000))
				take := st.Land
				if sizes.IntN(3) == 0 {
					take = func(p []byte) (int, error) {
						view, err := st.Fill()
						n := copy(p, view)
						st.Take(n)
						return n, err
					}
				}
				n, err := take(part)
				st.Credit(n)
				have = append(have, part[:n]...)
				if err != nil {
					if err != io.EOF {
						have = nil
					}
					got <- have
					_ = st.SendLine([]byte("done"), true)
					return
				}
			}
		})
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		for rest := want; len(rest) > 0; {
			n := min(len(rest), 1+random.IntN(200_000))
			if _, err := st.Write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		_ = st.Close()
		if have := <-got; !bytes.Equal(have, want) {
			t.Fatalf("seed %d: %d bytes, wanted %d in their order", seed, len(have), len(want))
		}
	}
}

func TestLandingEndsWithTheStream(t *testing.T) {
	got := make(chan error, 1)
	client := pair(t, func(st *Stream) {
		defer st.Release()
		part := make([]byte, 1000)
		n, err := st.Land(part)
		if err == nil && string(part[:n]) == "abc" {
			_, err = st.Land(part)
		}
		got <- err
	})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	_, _ = st.Write([]byte("abc"))
	_ = st.Close()
	if err := <-got; err != io.EOF {
		t.Fatal(err)
	}
}
