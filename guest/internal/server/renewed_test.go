package server

import (
	"testing"

	"microagent.dev/guest/internal/exec"
)

// The first command after resume is waited for in another way; it must end as any other does.
func TestTheFirstCommandAfterResume(t *testing.T) {
	c := connect(t)
	for _, each := range []struct {
		script string
		exit   float64
		stdout string
	}{
		{"sleep 0.02", 0, ""},
		{"sleep 0.02; echo said; exit 3", 3, "said\n"},
		{"echo at once; sleep 0.4; echo later", 0, "at once\nlater\n"},
		{"exec 1>&- 2>&-; sleep 0.05; exit 5", 5, ""},
		{"sleep 0.4", 0, ""},
	} {
		exec.Renewed()
		o := mustExec(t, c, M{"argv": []string{"sh", "-c", each.script}}, nil)
		if o.Result["exit_code"] != each.exit || string(o.Stdout) != each.stdout || o.Result["drained"] != true {
			t.Errorf("%q: %v %q", each.script, o.Result, o.Stdout)
		}
	}
	exec.Renewed()
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "exec sleep 60"}, "timeout_ms": 50}, nil)
	if o.Result["status"] != "timed_out" {
		t.Error(o.Result)
	}
}
