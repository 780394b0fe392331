package mux

// Credit lets the host send n bytes more; it is sent in portions.
func (st *Stream) Credit(n int) {
	st.mu.Lock()
	st.owed += n
	if st.owed < st.window/2 || st.ended || st.err != nil {
		st.mu.Unlock()
		return
	}
	give := st.owed
	st.owed = 0
	st.inWindow += give
	flags := st.ackFlag()
	st.mu.Unlock()
	var b [HeaderBytes]byte
	Header{Type: TypeWindowUpdate, Flags: flags, StreamID: st.id, Length: uint32(give)}.Put(b[:])
	_ = st.s.send(b[:])
}

// Widen raises the receive window for a large transfer. The host hears of it at once when it becomes twice what it was.
func (st *Stream) Widen(window int) {
	st.mu.Lock()
	more := window - st.window
	st.window = window
	st.in.fit(window)
	st.mu.Unlock()
	st.Credit(more)
}

// Narrow notes, before anything was received, that the host was asked to begin with less than it may. One that begins
// with more does no wrong.
func (st *Stream) Narrow(window int) {
	st.mu.Lock()
	st.window = window
	st.in.fit(window)
	st.mu.Unlock()
}

// Room waits until something may be sent and says how much of one frame.
func (st *Stream) Room() (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.outWindow == 0 && st.err == nil && !st.finished {
		st.writable.Wait()
	}
	if st.err != nil {
		return 0, st.err
	}
	if st.finished {
		return 0, ErrClosed
	}
	return min(frameDataBytes, int(st.outWindow)), nil
}
