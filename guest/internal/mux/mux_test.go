package mux

import (
	"bytes"
	"encoding/hex"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/testclient"

	"microagent.dev/guest/internal/testvectors"
)

type vector struct {
	Name, Hex string
	Frame     *struct {
		Type     uint8
		Flags    uint16
		StreamID uint32
		Length   uint32
	}
	Invalid string
}

func vectors(t testing.TB) (list []vector) {
	testvectors.Read(t, "yamux.json", &list)
	return list
}

func TestVectors(t *testing.T) {
	for _, v := range vectors(t) {
		raw, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		h, err := ParseHeader(raw)
		if v.Invalid != "" {
			if err == nil || !IsProtocol(err) {
				t.Errorf("%s: %v", v.Name, err)
			}
			continue
		}
		if err != nil || h != (Header{v.Frame.Type, v.Frame.Flags, v.Frame.StreamID, v.Frame.Length}) {
			t.Errorf("%s: %v %v", v.Name, h, err)
		}
		var back [HeaderBytes]byte
		h.Put(back[:])
		if !bytes.Equal(back[:], raw[:HeaderBytes]) {
			t.Errorf("%s: %x", v.Name, back)
		}
	}
}

// echo sends back what comes, in one frame per piece.
func echo(st *Stream) {
	defer st.Release()
	for {
		view, err := st.Fill()
		if err != nil {
			if err == io.EOF {
				st.End()
			}
			return
		}
		frame := make([]byte, HeaderBytes+len(view))
		n := copy(frame[HeaderBytes:], view)
		st.Take(n)
		st.Credit(n)
		if st.Send(frame, false) != nil {
			return
		}
	}
}

// pair starts a session with a handler and gives the reference client's end.
func pair(t *testing.T, handle func(*Stream)) *yamux.Session {
	t.Helper()
	ours, client := testclient.Pipe(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = NewSession(NewReader(ours), ours, handle).Serve()
	}()
	t.Cleanup(func() {
		client.Close()
		ours.Close()
		<-done
	})
	return client
}

func TestEchoWithReferenceClient(t *testing.T) {
	client := pair(t, echo)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			st, err := client.OpenStream()
			if err != nil {
				t.Error(err)
				return
			}
			want := bytes.Repeat([]byte{byte(i), 1, 2, 3, 5, 7, 11}, 60_000)
			go func() {
				_, _ = st.Write(want)
				_ = st.Close()
			}()
			have, err := io.ReadAll(st)
			if err != nil || !bytes.Equal(have, want) {
				t.Error(err, len(have), len(want))
			}
		})
	}
	wg.Wait()
	if _, err := client.Ping(); err != nil {
		t.Fatal(err)
	}
}

func TestSendWaitsForCredit(t *testing.T) {
	const total = 3 << 20
	client := pair(t, func(st *Stream) {
		defer st.Release()
		for range total / 30_000 {
			if st.Send(make([]byte, HeaderBytes+30_000), false) != nil {
				return
			}
		}
		_ = st.SendLine([]byte("last"), true)
	})
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	have, err := io.ReadAll(st)
	if err != nil || len(have) != total/30_000*30_000+4 || !bytes.HasSuffix(have, []byte("last")) {
		t.Fatal(err, len(have))
	}
}

// An answer must arrive although the stream is released with bytes of the host unread.
func TestReleaseDoesNotOvertakeTheAnswer(t *testing.T) {
	client := pair(t, func(st *Stream) {
		_ = st.SendLine([]byte("no\n"), true)
		st.Release()
	})
	for range 50 {
		st, err := client.OpenStream()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = st.Write(make([]byte, 100_000))
		have, err := io.ReadAll(st)
		if err != nil || string(have) != "no\n" {
			t.Fatalf("%q %v", have, err)
		}
		st.Close()
	}
}

func TestReleaseWithoutAnAnswerResets(t *testing.T) {
	client := pair(t, func(st *Stream) { st.Release() })
	st, err := client.OpenStream()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Read(make([]byte, 1)); err == nil {
		t.Fatal("read something")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	hold := make(chan struct{})
	var ours, theirs = net.Pipe()
	session := NewSession(NewReader(ours), ours, func(st *Stream) { <-hold; st.Release() })
	done := make(chan error, 1)
	go func() { done <- session.Serve() }()
	resets := make(chan struct{}, StreamsMax+10)
	go func() {
		var b [HeaderBytes]byte
		for {
			if _, err := io.ReadFull(theirs, b[:]); err != nil {
				return
			}
			if h, _ := ParseHeader(b[:]); h.Flags&FlagRST != 0 {
				resets <- struct{}{}
			}
		}
	}()
	var b [HeaderBytes]byte
	for i := range StreamsMax + 10 {
		Header{Type: TypeWindowUpdate, Flags: FlagSYN, StreamID: uint32(2*i + 1)}.Put(b[:])
		if _, err := theirs.Write(b[:]); err != nil {
			t.Fatal(err)
		}
	}
	session.mu.Lock()
	open := len(session.streams)
	session.mu.Unlock()
	if open > StreamsMax {
		t.Fatal(open)
	}
	// The end of the link would cut the answer to the last one off.
	for n := range 10 {
		select {
		case <-resets:
		case <-time.After(time.Minute):
			t.Fatal(n)
		}
	}
	close(hold)
	theirs.Close()
	<-done
}

func serveBytes(text []byte) error {
	var out bytes.Buffer
	var mu sync.Mutex
	w := writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(p)
	})
	return NewSession(NewReader(bytes.NewReader(text)), w, echo).Serve()
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func frames(list ...any) []byte {
	var b []byte
	for _, item := range list {
		switch item := item.(type) {
		case Header:
			var h [HeaderBytes]byte
			item.Put(h[:])
			b = append(b, h[:]...)
		case int:
			b = append(b, make([]byte, item)...)
		case string:
			b = append(b, item...)
		}
	}
	return b
}

func TestBreaksOfTheProtocolEndTheSession(t *testing.T) {
	open := Header{Type: TypeData, Flags: FlagSYN, StreamID: 1}
	for name, text := range map[string][]byte{
		"even id":      frames(Header{Type: TypeData, Flags: FlagSYN, StreamID: 2}),
		"opened twice": frames(open, open),
		"over the window": frames(open, Header{Type: TypeData, StreamID: 3, Length: 1}, 1,
			Header{Type: TypeData, Flags: FlagSYN, StreamID: 5, Length: WindowBytes + 1}, WindowBytes+1),
		"too much credit": frames(open, Header{Type: TypeWindowUpdate, StreamID: 1, Length: 1<<32 - 1}),
		"text":            frames(open, "MICROAGENT {}...\n"),
	} {
		if err := serveBytes(text); !IsProtocol(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no frame is left for the next handshake.
func TestForeignBytesStayInTheReader(t *testing.T) {
	const hello = "MICROAGENT {}...\n"
	in := NewReader(strings.NewReader(string(frames(Header{Type: TypePing, Flags: FlagSYN})) + hello))
	err := NewSession(in, io.Discard, echo).Serve()
	if !IsProtocol(err) || string(in.Buffered()) != hello {
		t.Fatalf("%v %q", err, in.Buffered())
	}
}

func FuzzSession(f *testing.F) {
	var all []byte
	for _, v := range vectors(f) {
		raw, _ := hex.DecodeString(v.Hex)
		f.Add(raw)
		if v.Frame != nil && v.Frame.Length < 100 {
			all = append(all, raw...)
		}
	}
	f.Add(all)
	f.Add(frames(Header{Type: TypeData, Flags: FlagSYN, StreamID: 1, Length: 20_000}, 20_000,
		Header{Type: TypeData, Flags: FlagFIN, StreamID: 1, Length: 20_000}, 20_000, Header{Type: TypeWindowUpdate, Flags: FlagRST, StreamID: 1}))
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := serveBytes(text); err == nil {
			t.Fatal("a session ended without a reason")
		}
	})
}
