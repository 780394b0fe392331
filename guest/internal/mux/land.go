package mux

import (
	"io"
	"runtime"
)

// landing is where the bytes that come next belong: the reader of the link puts them there without a
// copy in between, which an emulated guest makes slower than the link.
type landing struct {
	into    []byte // nil: nobody waits for bytes of this kind
	have    int
	reading bool // the link is being read into it
	used    bool // the stream's user lands bytes
}

// Land fills p with received bytes, without giving credit for them. It returns fewer than len(p) only
// where some had been received before, and at the end. io.EOF: the host ended its side.
func (st *Stream) Land(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	l := &st.land
	l.used = true
	for st.err == nil {
		if v := st.in.view(); len(v) > 0 {
			n := copy(p, v)
			st.in.drop(n)
			return n, nil
		}
		if st.ended {
			return 0, io.EOF
		}
		if st.in.filling {
			// What is being read comes before what will land.
			st.readable.Wait()
			continue
		}
		l.into, l.have = p, 0
		// The place must not go away while the link is read into it.
		for l.reading || l.into != nil && st.err == nil && !st.ended {
			st.readable.Wait()
		}
		l.into = nil
		if l.have > 0 {
			return l.have, nil
		}
	}
	return 0, st.err
}

// place returns where to read to when bytes land. The lock is held.
func (st *Stream) place() []byte {
	if st.land.into == nil {
		return nil
	}
	return st.land.into[st.land.have:]
}

// landed counts n bytes that were put in place and says whether the one who waits has all of them.
func (st *Stream) landed(n int) bool {
	l := &st.land
	l.have += n
	if l.have < len(l.into) {
		return false
	}
	l.into = nil
	st.readable.Signal()
	return true
}

// landFrom is deliverFrom for bytes that land. The lock is held, and released.
func (st *Stream) landFrom(in *Reader, place []byte) (int, error) {
	st.land.reading = true
	st.mu.Unlock()
	n, err := in.Direct(place)
	st.mu.Lock()
	st.land.reading = false
	full := false
	if n > 0 {
		err = nil
		full = st.landed(n)
	}
	if st.err != nil {
		st.readable.Broadcast()
	}
	st.mu.Unlock()
	if full {
		// Whoever waited names the next place before more is read.
		runtime.Gosched()
	}
	return n, err
}

func (st *Stream) deliver(p []byte) {
	st.mu.Lock()
	if st.err == nil && !st.ended && !st.released {
		if n := copy(st.place(), p); n > 0 {
			st.landed(n)
			p = p[n:]
		}
		st.in.append(p)
		st.readable.Signal()
	}
	yield := st.land.used && st.land.into == nil
	st.mu.Unlock()
	if yield {
		// Whoever lands bytes names a place before more is read.
		runtime.Gosched()
	}
}

// deliverFrom reads up to most bytes from the link to where they are kept. Only the session's
// reader adds to a stream, so the lock need not be held while it reads.
func (st *Stream) deliverFrom(in *Reader, most int) (int, error) {
	st.mu.Lock()
	if st.err != nil || st.ended || st.released {
		st.mu.Unlock()
		if err := in.More(); err != nil {
			return 0, err
		}
		n := min(len(in.Buffered()), most)
		in.Skip(n)
		return n, nil
	}
	if place := st.place(); place != nil {
		return st.landFrom(in, place[:min(len(place), most)])
	}
	room := st.in.room()
	st.in.filling = true
	st.mu.Unlock()
	n, err := in.Direct(room[:min(len(room), most)])
	st.mu.Lock()
	st.in.filling = false
	if n > 0 {
		err = nil
		if !st.released {
			st.in.grow(n)
			st.readable.Signal()
		}
	}
	if st.released {
		st.in.clear()
	}
	st.mu.Unlock()
	return n, err
}
