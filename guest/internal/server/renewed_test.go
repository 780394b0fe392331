package server

import "testing"

// The first command after resume is waited for in another way; it must end as any other does.
func TestTheFirstCommandAfterResume(t *testing.T) {
	c := connect(t)
	renew := func() {
		t.Helper()
		reply, err := c.Call(M{
			"op": "resume", "time_unix_ns": "1700000000000000000", "entropy": configuration["entropy"],
			"hostname": "again", "hosts": []M{},
		})
		if err != nil || reply["ok"] != true {
			t.Fatal(reply, err)
		}
	}
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
		renew()
		o := mustExec(t, c, M{"argv": []string{"sh", "-c", each.script}}, nil)
		if o.Result["exit_code"] != each.exit || string(o.Stdout) != each.stdout || o.Result["drained"] != true {
			t.Errorf("%q: %v %q", each.script, o.Result, o.Stdout)
		}
	}
	renew()
	o := mustExec(t, c, M{"argv": []string{"sh", "-c", "exec sleep 60"}, "timeout_ms": 50}, nil)
	if o.Result["status"] != "timed_out" {
		t.Error(o.Result)
	}
}
