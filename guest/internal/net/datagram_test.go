package net

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"microagent.dev/guest/internal/mux"
)

// TestDatagramVectors frames datagrams as the host's tests expect them, and reads those back.
func TestDatagramVectors(t *testing.T) {
	text, err := os.ReadFile("../../../test/vectors/guest-calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		Datagrams []struct{ Name, Payload, Hex string }
	}
	if err := json.Unmarshal(text, &v); err != nil || len(v.Datagrams) == 0 {
		t.Fatal(err, v)
	}
	for _, d := range v.Datagrams {
		payload, err := hex.DecodeString(d.Payload)
		if err != nil {
			t.Fatal(err)
		}
		pkt := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(payload)})
		framed := datagram(pkt)[mux.HeaderBytes:]
		pkt.DecRef()
		if have := hex.EncodeToString(framed); have != d.Hex {
			t.Errorf("%s: %s, want %s", d.Name, have, d.Hex)
		}
		if have, err := readDatagram(bytes.NewReader(framed)); err != nil || !bytes.Equal(have, payload) {
			t.Errorf("%s: %x %v", d.Name, have, err)
		}
	}
}
