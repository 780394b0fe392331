// Package uplink asks the host: every call is one stream that the agent opens.
package uplink

import (
	"errors"
	"sync/atomic"
	"time"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/wire"
)

// AnswerWait bounds the wait for an answer: longer than a connection attempt of the host may take.
const AnswerWait = 150 * time.Second

// ErrDown means that no host is there to be asked.
var ErrDown = errors.New("The host is not there")

// Refusal is the host's no.
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return r.Message + " (" + r.Code + ")" }

// Uplink opens streams in whatever session is current.
type Uplink struct{ session atomic.Pointer[mux.Session] }

// Attach makes calls go to a session.
func (u *Uplink) Attach(s *mux.Session) { u.session.Store(s) }

// Detach ends that; streams that are open end with their session.
func (u *Uplink) Detach() { u.session.Store(nil) }

// Call opens a stream and returns it when the host has said yes; what follows the answer is there to be
// read. Fails with a Refusal, with ErrDown, or as the stream failed.
func (u *Uplink) Call(line []byte) (*mux.Stream, error) {
	st, _, err := u.call(line, wire.CallBytesMax)
	return st, err
}

// Ask is a call whose answer is all there is to it.
func (u *Uplink) Ask(line []byte) (wire.Answer, error) {
	st, answer, err := u.call(line, wire.AnswerBytesMax)
	if err == nil {
		st.End()
		st.Release()
	}
	return answer, err
}

func (u *Uplink) call(line []byte, most int) (*mux.Stream, wire.Answer, error) {
	session := u.session.Load()
	if session == nil {
		return nil, wire.Answer{}, ErrDown
	}
	st, err := session.Open(line)
	if err != nil {
		return nil, wire.Answer{}, err
	}
	limit := time.AfterFunc(AnswerWait, st.Reset)
	text, err := wire.NewFrameReader(st).Line(most)
	limit.Stop()
	var answer wire.Answer
	if err == nil {
		answer, err = wire.ParseAnswer(text)
	}
	if err == nil && !answer.OK {
		// Its end is all that still comes; ours makes the stream go away.
		st.End()
		st.Release()
		return nil, answer, &Refusal{answer.Code, answer.Message}
	}
	if err != nil {
		st.Reset()
		return nil, answer, err
	}
	return st, answer, nil
}
