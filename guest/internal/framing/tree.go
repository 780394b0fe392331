package framing

import (
	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// Tree gathers the frames of a tree, so that many small files share a write. One user at a time.
type Tree struct {
	st  *mux.Stream
	buf []byte
	n   int
}

// NewTree writes to st; Close it.
func NewTree(st *mux.Stream) *Tree {
	return &Tree{st: st, buf: TakeBuffer(), n: mux.HeaderBytes}
}

// Close gives the buffer back.
func (t *Tree) Close() {
	if t.buf != nil {
		GiveBuffer(t.buf)
		t.buf = nil
	}
}

// Flush sends what has gathered.
func (t *Tree) Flush(end bool) error {
	frame := t.buf[:t.n]
	t.n = mux.HeaderBytes
	return t.st.Send(frame, end)
}

// Raw adds bytes that are no frame: the reply line.
func (t *Tree) Raw(p []byte) error {
	for len(p) > 0 {
		if t.n == len(t.buf) {
			if err := t.Flush(false); err != nil {
				return err
			}
		}
		n := copy(t.buf[t.n:], p)
		t.n += n
		p = p[n:]
	}
	return nil
}

// Frame adds one frame.
func (t *Tree) Frame(kind wire.Kind, payload []byte) error {
	var h [wire.FrameHeaderBytes]byte
	wire.PutFrameHeader(h[:], kind, len(payload))
	if err := t.Raw(h[:]); err != nil {
		return err
	}
	return t.Raw(payload)
}

// dataMin is the smallest space worth reading file bytes into.
const dataMin = 4096

// Data adds one frame of at most `most` bytes that read puts in place; a read of nothing adds none.
func (t *Tree) Data(kind wire.Kind, most int64, read func([]byte) (int, error)) (int, error) {
	if len(t.buf)-t.n < wire.FrameHeaderBytes+dataMin {
		if err := t.Flush(false); err != nil {
			return 0, err
		}
	}
	space := t.buf[t.n+wire.FrameHeaderBytes:]
	if int64(len(space)) > most {
		space = space[:most]
	}
	n, err := read(space)
	if err != nil || n <= 0 {
		return 0, err
	}
	wire.PutFrameHeader(t.buf[t.n:], kind, n)
	t.n += wire.FrameHeaderBytes + n
	return n, nil
}

// Blocks sends what has gathered and then buf[Headroom:] in frames of at most `most` bytes. The headers
// of a frame overwrite what lies before its bytes: buf is scratch afterwards.
func (t *Tree) Blocks(kind wire.Kind, buf []byte, most int) error {
	if t.n > mux.HeaderBytes {
		if err := t.Flush(false); err != nil {
			return err
		}
	}
	for at := Headroom; at < len(buf); {
		n := min(most, len(buf)-at)
		frame := buf[at-Headroom : at+n : at+n]
		wire.PutFrameHeader(frame[mux.HeaderBytes:], kind, n)
		if err := t.st.Send(frame, false); err != nil {
			return err
		}
		at += n
	}
	return nil
}
