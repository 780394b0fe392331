package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// Source is a flow-controlled stream: Fill shows the next bytes (io.EOF at the end), Take consumes
// them, Credit lets the sender replace them.
type Source interface {
	Fill() ([]byte, error)
	Take(n int)
	Credit(n int)
	// Land fills p as far as bytes are or come in one go, without credit; io.EOF at the end.
	Land(p []byte) (int, error)
}

// FrameReader reads a header line, then frames, without holding more than one JSON payload.
type FrameReader struct {
	src  Source
	json []byte
}

// NewFrameReader reads from src.
func NewFrameReader(src Source) *FrameReader { return &FrameReader{src: src} }

// Line reads up to a newline, which is not part of the result; the result is the caller's.
func (r *FrameReader) Line(most int) ([]byte, error) {
	var line []byte
	for {
		view, err := r.src.Fill()
		if err != nil {
			return nil, midway(err, len(line))
		}
		at := bytes.IndexByte(view, '\n')
		part := view
		if at >= 0 {
			part = view[:at]
		}
		if len(line)+len(part) > most {
			return nil, errors.New("The line is longer than " + strconv.Itoa(most) + " bytes")
		}
		line = append(line, part...)
		used := len(part)
		if at >= 0 {
			used++
		}
		r.src.Take(used)
		r.src.Credit(used)
		if at >= 0 {
			return line, nil
		}
	}
}

func midway(err error, have int) error {
	if err == io.EOF && have > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *FrameReader) full(p []byte) error {
	for have := 0; have < len(p); {
		view, err := r.src.Fill()
		if err != nil {
			return midway(err, have)
		}
		n := copy(p[have:], view)
		r.src.Take(n)
		r.src.Credit(n)
		have += n
	}
	return nil
}

// Next reads a frame's header; io.EOF when the stream ended between frames.
func (r *FrameReader) Next() (FrameHeader, error) {
	var b [FrameHeaderBytes]byte
	if err := r.full(b[:]); err != nil {
		return FrameHeader{}, err
	}
	return ParseFrameHeader(b)
}

// Payload reads a small payload whole; it is valid until the next call.
func (r *FrameReader) Payload(h FrameHeader) ([]byte, error) {
	if h.Length > JSONBytesMax {
		return nil, errors.New("A payload is too large to be read whole")
	}
	if cap(r.json) < int(h.Length) {
		r.json = make([]byte, h.Length)
	}
	r.json = r.json[:h.Length]
	err := r.full(r.json)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return r.json, err
}

// Each passes a payload on in pieces. Credit is given for each piece after fn, unless hold is set:
// then the caller owes it.
func (r *FrameReader) Each(h FrameHeader, hold bool, fn func([]byte) error) error {
	for left := int(h.Length); left > 0; {
		view, err := r.src.Fill()
		if err != nil {
			return midway(err, 1)
		}
		if len(view) > left {
			view = view[:left]
		}
		n := len(view)
		err = fn(view)
		r.src.Take(n)
		if !hold {
			r.src.Credit(n)
		}
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// Into reads the next part of a payload to where it belongs: at least one byte, at most len(p).
func (r *FrameReader) Into(p []byte) (int, error) {
	n, err := r.src.Land(p)
	if err != nil {
		return 0, midway(err, 1)
	}
	r.src.Credit(n)
	return n, nil
}
