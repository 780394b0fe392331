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
func NewReader(src io.Reader) *Reader { return &Reader{src: src, buf: make([]byte, 64<<10)} }

// Buffered returns what is there without reading.
func (r *Reader) Buffered() []byte { return r.buf[r.r:r.w] }

// Skip drops n buffered bytes.
func (r *Reader) Skip(n int) {
	r.r += n
	if r.r == r.w {
		r.r, r.w = 0, 0
	}
}

// More reads once from the source; the buffer must not be full.
func (r *Reader) More() error {
	if r.w == len(r.buf) {
		copy(r.buf, r.buf[r.r:r.w])
		r.w -= r.r
		r.r = 0
	}
	n, err := r.src.Read(r.buf[r.w:])
	r.w += n
	if n > 0 {
		return nil
	}
	if err == nil {
		return io.ErrNoProgress
	}
	return err
}

// Need makes at least n bytes available, n being small.
func (r *Reader) Need(n int) error {
	for r.w-r.r < n {
		if err := r.More(); err != nil {
			return err
		}
	}
	return nil
}
