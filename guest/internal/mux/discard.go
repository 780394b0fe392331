package mux

// Discard takes what comes until the stream ends, and gives credit for it: whoever reads an answer only after its last byte must
// get there.
func (st *Stream) Discard() {
	for {
		view, err := st.Fill()
		if err != nil {
			return
		}
		n := len(view)
		st.Take(n)
		st.Credit(n)
	}
}
