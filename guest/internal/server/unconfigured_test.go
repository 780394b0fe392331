package server

import (
	"encoding/json"
	"testing"

	"microagent.dev/guest/internal/testclient"
	"microagent.dev/guest/internal/testvectors"
)

// TestNothingWorksBeforeConfigure sends every request of the vectors: what is about the guest's root has to wait for one.
func TestNothingWorksBeforeConfigure(t *testing.T) {
	var v struct{ Valid []struct{ Name, Line string } }
	testvectors.Read(t, "requests.json", &v)
	if len(v.Valid) == 0 {
		t.Fatal(v)
	}
	c, err := testclient.Connect(startServer(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Session.Close()
	for _, r := range v.Valid {
		want := "not_configured"
		request := M{}
		if err := json.Unmarshal([]byte(r.Line), &request); err != nil {
			t.Fatal(err)
		}
		switch request["op"] {
		case "ping", "purge_secrets":
			want = ""
		case "dance":
			want = "unsupported"
		case "configure", "poweroff":
			continue
		}
		reply, err := c.Call(request)
		if err != nil {
			t.Fatal(r.Name, err)
		}
		if code, _ := reply["code"].(string); code != want {
			t.Errorf("%s: %v, want %q", r.Name, reply, want)
		}
	}
}
