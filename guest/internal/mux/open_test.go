package mux

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/testclient"
)

// opening starts a session whose host accepts streams with the reference implementation.
func opening(t *testing.T) (*Session, *yamux.Session, chan error) {
	t.Helper()
	ours, host := testclient.Pipe(t)
	session := NewSession(NewReader(ours), ours, echo)
	done := make(chan error, 1)
	go func() {
		err := session.Serve()
		ours.Close()
		done <- err
	}()
	return session, host, done
}

func TestOpenedStreamsCarryBytesBothWays(t *testing.T) {
	session, host, _ := opening(t)
	go func() {
		for {
			st, err := host.AcceptStream()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(st, st)
				_ = st.Close()
			}()
		}
	}()
	var wg sync.WaitGroup
	for i := range 30 {
		wg.Go(func() {
			want := append([]byte("line\n"), bytes.Repeat([]byte{byte(i), 7}, 400_000)...)
			st, err := session.Open(want[:5])
			if err != nil {
				t.Error(err)
				return
			}
			go func() {
				_ = st.Send(append(make([]byte, HeaderBytes), want[5:]...), true)
			}()
			have, err := io.ReadAll(st)
			if err != nil || !bytes.Equal(have, want) {
				t.Error(err, len(have), len(want))
			}
			st.Release()
		})
	}
	wg.Wait()
	session.mu.Lock()
	defer session.mu.Unlock()
	if len(session.streams) != 0 || session.opened != 0 {
		t.Fatal(len(session.streams), session.opened)
	}
}

func TestResetAfterEndReachesTheHost(t *testing.T) {
	session, host, _ := opening(t)
	st, err := session.Open([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	st.End()
	theirs, err := host.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(theirs); string(all) != "x" || err != nil {
		t.Fatal(string(all), err)
	}
	st.Reset()
	st.Reset()
	for err == nil {
		_, err = theirs.Write(make([]byte, 1000))
	}
	if _, err := st.Fill(); err != ErrReset {
		t.Fatal(err)
	}
	session.mu.Lock()
	defer session.mu.Unlock()
	if session.opened != 0 {
		t.Fatal(session.opened)
	}
}

func TestOpenedStreamsAreBounded(t *testing.T) {
	session := NewSession(NewReader(bytes.NewReader(nil)), io.Discard, echo)
	var last *Stream
	for range OpenedMax {
		st, err := session.Open(nil)
		if err != nil {
			t.Fatal(err)
		}
		last = st
	}
	if _, err := session.Open(nil); err != ErrLimit {
		t.Fatal(err)
	}
	last.Reset()
	if _, err := session.Open(nil); err != nil {
		t.Fatal(err)
	}
	session.mu.Lock()
	session.opened, session.nextID = 0, 0
	session.mu.Unlock()
	if _, err := session.Open(nil); err != ErrClosed {
		t.Fatal("ids are used twice:", err)
	}
}

func TestTheEndOfTheSessionEndsOpenedStreams(t *testing.T) {
	session, host, done := opening(t)
	st, err := session.Open([]byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	host.Close()
	<-done
	if _, err := st.Fill(); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
	if _, err := session.Open(nil); err != ErrClosed {
		t.Fatal(err)
	}
}

// The host may say anything about streams of ours, open, gone or never there.
func TestFramesForStreamsOfOurs(t *testing.T) {
	in := bytes.NewReader(frames(
		Header{Type: TypeData, StreamID: 4, Length: 3}, "abc",
		Header{Type: TypeWindowUpdate, Flags: FlagRST, StreamID: 6},
		Header{Type: TypeWindowUpdate, Flags: FlagACK, StreamID: 2},
		Header{Type: TypeData, Flags: FlagFIN, StreamID: 2, Length: 3}, "abc"))
	session := NewSession(NewReader(in), io.Discard, echo)
	st, err := session.Open(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Serve(); err != io.EOF {
		t.Fatal(err)
	}
	if v, err := st.Fill(); err != ErrClosed {
		t.Fatal(v, err)
	}
}

func TestRoomWaitsForTheHostAndFailsWithTheStream(t *testing.T) {
	session, host, _ := opening(t)
	st, err := session.Open([]byte("line\n"))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := host.AcceptStream()
	if err != nil {
		t.Fatal(err)
	}
	left := WindowBytes - len("line\n")
	for left > 0 {
		room, err := st.Room()
		if err != nil || room != min(left, frameDataBytes) {
			t.Fatalf("room is %d (%v), want %d", room, err, min(left, frameDataBytes))
		}
		if err := st.Send(make([]byte, HeaderBytes+room), false); err != nil {
			t.Fatal(err)
		}
		left -= room
	}
	go func() { _, _ = io.CopyN(io.Discard, theirs, WindowBytes) }()
	if room, err := st.Room(); err != nil || room == 0 {
		t.Fatalf("room is %d (%v) after the host has read, want some", room, err)
	}
	st.Reset()
	if _, err := st.Room(); !errors.Is(err, ErrReset) {
		t.Fatalf("error is %v, want that of a reset", err)
	}
}

func TestAStreamWithASmallWindowHoldsSmallChunks(t *testing.T) {
	var q queue
	for window, want := range map[int]int{8 << 10: 4 << 10, 32 << 10: 16 << 10, WindowBytes: chunkBytes} {
		q.fit(window)
		q.append([]byte{1})
		if got := cap(q.list[0]); got != want {
			t.Errorf("a byte in a window of %d takes %d bytes, want %d", window, got, want)
		}
		q.clear()
	}
}
