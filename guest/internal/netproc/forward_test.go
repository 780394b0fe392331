package netproc

import (
	"bytes"
	"testing"
	"testing/iotest"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/mux"
)

// trickle gives a port's 4 KiB at a time.
type trickle struct{ rest []byte }

func (s *trickle) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), 4096)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// frames are what Forward makes of one frame, as their headers, and the bytes behind them.
func frames(t *testing.T, length int, flags uint16) (heads []mux.Header, body []byte) {
	t.Helper()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	if _, err := unix.FcntlInt(uintptr(pipe[1]), unix.F_SETPIPE_SZ, downBytes); err != nil {
		t.Skip(err)
	}
	p := &Process{child: &child{downFD: pipe[1], pidfd: -1}}
	payload := make([]byte, length)
	for i := range payload {
		payload[i] = byte(i / 251)
	}
	h := mux.Header{Type: mux.TypeData, Flags: flags, StreamID: 2, Length: uint32(length)}
	if err := p.Forward(h, mux.NewReader(&trickle{payload})); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 2*downBytes)
	n, _ := unix.Read(pipe[0], got)
	for got = got[:max(n, 0)]; len(got) > 0; {
		head, err := mux.ParseHeader(got)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, head)
		body = append(body, got[mux.HeaderBytes:][:head.Length]...)
		got = got[mux.HeaderBytes+head.Length:]
	}
	if !bytes.Equal(body, payload) {
		t.Errorf("%d bytes came out, want the %d that went in", len(body), length)
	}
	return heads, body
}

func TestForwardPassesAFrameOnWhole(t *testing.T) {
	heads, _ := frames(t, pieceBytes, mux.FlagFIN)
	if len(heads) != 1 || heads[0].Flags != mux.FlagFIN {
		t.Errorf("frames are %v, want one with its flag", heads)
	}
}

func TestForwardCutsAFrameThatIsLarger(t *testing.T) {
	heads, _ := frames(t, 2*pieceBytes+5, mux.FlagFIN)
	if len(heads) != 3 || heads[0].Flags != 0 || heads[1].Flags != 0 || heads[2].Flags != mux.FlagFIN {
		t.Errorf("frames are %v, want three, the flag with the last", heads)
	}
}

func TestForwardTellsOfALinkThatBreaks(t *testing.T) {
	h := mux.Header{Type: mux.TypeData, StreamID: 2, Length: 100}
	if err := new(Process).Forward(h, mux.NewReader(iotest.ErrReader(unix.EIO))); err != unix.EIO {
		t.Errorf("error is %v, want EIO", err)
	}
}
