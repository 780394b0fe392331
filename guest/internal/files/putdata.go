package files

import (
	"encoding/binary"
	"math"
	"strconv"

	"microagent.dev/guest/internal/wire"
)

func (p *putter) data(frames *wire.FrameReader, h wire.FrameHeader) *wire.Failure {
	if p.file == nil {
		return wire.Fail(wire.InvalidRequest, "File data came outside a file")
	}
	f := p.file
	if failure := p.land(frames, &h); failure != nil {
		return failure
	}
	var failed error
	err := frames.Each(h, false, func(part []byte) error {
		failed = f.write(part)
		return failed
	})
	if failed != nil {
		return wire.AsFailure(failed, "write", p.shown(f.entry.Path))
	}
	if err != nil {
		return malformed(err)
	}
	p.bytes += int64(h.Length)
	return nil
}

// land takes what it can of a payload straight into the buffer that goes to the disk.
func (p *putter) land(frames *wire.FrameReader, h *wire.FrameHeader) *wire.Failure {
	f := p.file
	for h.Length > 0 {
		room := f.room()
		if room == nil {
			return nil
		}
		n, err := frames.Into(room[:min(len(room), int(h.Length))])
		if err != nil {
			return malformed(err)
		}
		h.Length -= uint32(n)
		p.bytes += int64(n)
		if err := f.landed(n); err != nil {
			return wire.AsFailure(err, "write", p.shown(f.entry.Path))
		}
	}
	return nil
}

func (p *putter) hole(frames *wire.FrameReader, h wire.FrameHeader) *wire.Failure {
	payload, err := frames.Payload(h)
	if err != nil {
		return malformed(err)
	}
	n := binary.BigEndian.Uint64(payload)
	if p.file == nil {
		return wire.Fail(wire.InvalidRequest, "A hole came outside a file")
	}
	if n > math.MaxInt64-uint64(p.file.at) {
		return wire.Fail(wire.TooLarge, "A hole in "+strconv.Quote(p.shown(p.file.entry.Path))+" is larger than any file")
	}
	if err := p.file.skip(int64(n)); err != nil {
		return wire.AsFailure(err, "write", p.shown(p.file.entry.Path))
	}
	p.bytes += int64(n)
	return nil
}

func (p *putter) finishFile() *wire.Failure {
	if p.file == nil {
		return wire.Fail(wire.InvalidRequest, "The end of a file came outside a file")
	}
	f := p.file
	p.file = nil
	if err := f.finish(p.owner); err != nil {
		return wire.AsFailure(err, "write", p.shown(f.entry.Path))
	}
	return nil
}
