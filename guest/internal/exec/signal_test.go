package exec

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestSignalOf(t *testing.T) {
	for name, want := range map[string]unix.Signal{
		"SIGTERM": unix.SIGTERM, "SIG34": 34, "SIG37": 37, "SIG64": 64,
		"": 0, "SIG": 0, "37": 0, "SIG0": 0, "SIG-1": 0, "SIG33": 0, "SIG65": 0, "SIG99999999999": 0, "TERM": 0,
	} {
		if got := signalOf(name); got != want {
			t.Errorf("signalOf(%q) = %d, want %d", name, got, want)
		}
	}
}
