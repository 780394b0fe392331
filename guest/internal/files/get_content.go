package files

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// content sends a file's bytes; sparse files are asked where their data lies.
func (g *getter) content(fd int, size int64, sparse bool) (readErr, sendErr error) {
	var at int64
	if !sparse {
		if at, sendErr = g.contentDirect(fd, size); sendErr != nil {
			return nil, sendErr
		}
	}
	dataEnd := int64(1<<63 - 1)
	for {
		left := g.req.MaxBytes - g.end.Bytes
		if sparse && (at == 0 || at >= dataEnd) {
			var hole int64
			hole, dataEnd = nextData(fd, at)
			if hole > 0 {
				if hole > left {
					hole, g.end.Truncated = left, true
				}
				var n [8]byte
				binary.BigEndian.PutUint64(n[:], uint64(hole))
				if sendErr = g.out.Frame(wire.KindHole, n[:]); sendErr != nil {
					return nil, sendErr
				}
				at += hole
				g.end.Bytes += hole
				if left -= hole; g.end.Truncated {
					return nil, nil
				}
			}
		}
		if left <= 0 {
			g.end.Truncated = g.moreAt(fd, at)
			return nil, nil
		}
		most := min(left, dataEnd-at)
		if most <= 0 {
			return nil, nil
		}
		n, err := g.out.Data(wire.KindData, most, func(p []byte) (int, error) {
			n, err := retry(func() (int, error) { return unix.Pread(fd, p, at) })
			readErr = err
			return max(n, 0), nil
		})
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return readErr, nil
		}
		at += int64(n)
		g.end.Bytes += int64(n)
	}
}

// moreAt says whether a file goes on at an offset.
func (g *getter) moreAt(fd int, at int64) bool {
	var b [1]byte
	n, _ := unix.Pread(fd, b[:], at)
	return n > 0
}

// nextData returns the hole's length at an offset and where the data after it ends.
func nextData(fd int, at int64) (hole, dataEnd int64) {
	const far = int64(1<<63 - 1)
	data, err := unix.Seek(fd, at, unix.SEEK_DATA)
	if err == unix.ENXIO { // no data any more: the rest is a hole
		end, err := unix.Seek(fd, 0, unix.SEEK_END)
		if err != nil || end <= at {
			return 0, far
		}
		return end - at, far
	}
	if err != nil {
		return 0, far
	}
	end, err := unix.Seek(fd, data, unix.SEEK_HOLE)
	if err != nil || end <= data {
		return data - at, far
	}
	return data - at, end
}
