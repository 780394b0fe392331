package uplink_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/yamux"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/testhost"
	"microagent.dev/guest/internal/uplink"
)

// connect gives an uplink whose host answers every call with the text that answer makes of its line.
func connect(t *testing.T, answer func(line string) string) (*uplink.Uplink, *yamux.Session) {
	return testhost.Uplink(t, func(st *testclient.Stream, line []byte) {
		_, _ = io.WriteString(st, answer(string(line)))
		_, _ = io.Copy(st, st.In)
		_ = st.Close()
	})
}

func TestCallGivesTheStreamBehindTheAnswer(t *testing.T) {
	u, _ := connect(t, func(line string) string { return "{\"ok\":true}\n" + line })
	st, err := u.Call([]byte("hello\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Send(append(make([]byte, mux.HeaderBytes), "more"...), true); err != nil {
		t.Fatal(err)
	}
	if have, err := io.ReadAll(st); string(have) != "hello\nmore" || err != nil {
		t.Fatalf("%q %v", have, err)
	}
	st.Release()
}

func TestAskGivesTheAnswer(t *testing.T) {
	value := strings.Repeat("x", 300_000)
	u, _ := connect(t, func(string) string { return `{"ok":true,"value":"` + value + `"}` + "\n" })
	if a, err := u.Ask([]byte("\n")); err != nil || a.Value != value {
		t.Fatal(len(a.Value), err)
	}
}

func TestRefusalsAndNonsense(t *testing.T) {
	answers := map[string]string{
		"no\n":       `{"ok":false,"code":"denied","message":"Not listed"}` + "\n",
		"nonsense\n": "{}\n",
		"long\n":     strings.Repeat(" ", 5000) + "\n",
	}
	u, _ := connect(t, func(line string) string { return answers[line] })
	_, err := u.Call([]byte("no\n"))
	if r, ok := err.(*uplink.Refusal); !ok || r.Code != "denied" || r.Message != "Not listed" {
		t.Fatal(err)
	}
	for _, line := range []string{"nonsense\n", "long\n"} {
		if _, err := u.Call([]byte(line)); err == nil {
			t.Error(line)
		}
	}
}

func TestWithoutAHost(t *testing.T) {
	u, host := connect(t, func(string) string { return "" })
	waiting := make(chan error)
	go func() {
		_, err := u.Call([]byte("waits\n"))
		waiting <- err
	}()
	host.Close()
	if err := <-waiting; err == nil {
		t.Fatal("an answer")
	}
	for {
		_, err := u.Call([]byte("x\n"))
		if errors.Is(err, uplink.ErrDown) {
			return
		}
		if !errors.Is(err, mux.ErrClosed) {
			t.Fatal(err)
		}
	}
}
