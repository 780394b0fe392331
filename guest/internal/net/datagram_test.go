package net

import (
	"bytes"
	"encoding/hex"
	"testing"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"microagent.dev/guest/internal/mux"
	"microagent.dev/guest/internal/testvectors"
)

// TestDatagramVectors frames datagrams as the host's tests expect them, and reads those back.
func TestDatagramVectors(t *testing.T) {
	var v struct {
		Datagrams []struct{ Name, Payload, Hex string }
	}
	testvectors.Read(t, "guest-calls.json", &v)
	if len(v.Datagrams) == 0 {
		t.Fatal(v)
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
