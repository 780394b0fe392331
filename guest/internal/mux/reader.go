package mux

import "io"

// Reader is the buffered read side of the link; handshake and session share it, so that bytes that
// one did not take are there for the other.
type Reader struct {
	src  io.Reader
	buf  []byte
	r, w int
}

// NewReader reads from src.
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, 4*readBytes)} }

// Buffered returns what is there without reading.
func (r *Reader) Buffered() []byte { return r.buf[r.r:r.w] }

// Skip drops n buffered bytes.
func (r *Reader) Skip(n int) {
	r.r += n
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
}

// readBytes is what a virtio port gives at once. Reading no more leaves the rest of a large frame to
// Direct, which puts it where it belongs without a copy.
const readBytes = 4 << 10

// More reads once from the source.
func (r *Reader) More() error {
	if len(r.buf)-r.w < readBytes && r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	n, err := r.src.Read(r.buf[r.w:min(len(r.buf), r.w+readBytes)])
	r.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// Direct reads past the buffer, which must be empty.
func (r *Reader) Direct(p []byte) (int, error) { return r.src.Read(p) }

// Need makes at least n bytes available, n being small.
func (r *Reader) Need(n int) error {
	for r.w-r.r < n {
		if err := r.More(); err != nil {
			return err
		}
	}
	return nil
}
