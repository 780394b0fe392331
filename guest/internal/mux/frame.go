// Package mux is the server side of yamux version 0 over one byte stream; it opens streams too.
//
// It differs from the reference implementation in what a virtio port needs: a frame is one write
// (every write is an exit of the machine), a reader sees a reset without reading, credit can be
// held back until the bytes are really used, and bytes that are no frame are left unread, because
// a restored machine finds a new handshake there. Tests drive it with the reference client.
package mux

import (
	"encoding/binary"
	"strconv"
)

// HeaderBytes is the size of every frame's header.
const HeaderBytes = 12

// FrameBytesMax is the largest data frame accepted.
const FrameBytesMax = 1 << 20

// WindowBytes is the receive window of every stream, the one the specification starts with.
const WindowBytes = 256 << 10

// WideWindowBytes is the window of a stream that carries much to us: a file, a busy connection.
const WideWindowBytes = 1 << 20

// Frame types.
const (
	TypeData = iota
	TypeWindowUpdate
	TypePing
	TypeGoAway
)

// Frame flags.
const (
	FlagSYN = 1 << iota
	FlagACK
	FlagFIN
	FlagRST
)

// Header is one decoded frame header.
type Header struct {
	Type     uint8
	Flags    uint16
	StreamID uint32
	Length   uint32
}

// ErrNotYamux means: these bytes are no frame of version 0.
const ErrNotYamux = protocolError("The bytes are not a yamux frame of version 0")

// ParseHeader decodes and checks a header.
func ParseHeader(b []byte) (Header, error) {
	if len(b) < HeaderBytes || b[0] != 0 {
		return Header{}, ErrNotYamux
	}
	h := Header{
		Type:     b[1],
		Flags:    binary.BigEndian.Uint16(b[2:]),
		StreamID: binary.BigEndian.Uint32(b[4:]),
		Length:   binary.BigEndian.Uint32(b[8:]),
	}
	switch {
	case h.Type > TypeGoAway:
		return h, protocolError("Frame type " + strconv.Itoa(int(h.Type)) + " is unknown")
	case h.Flags > FlagSYN|FlagACK|FlagFIN|FlagRST:
		return h, protocolError("Frame flags 0x" + strconv.FormatUint(uint64(h.Flags), 16) + " are unknown")
	case h.Type <= TypeWindowUpdate && h.StreamID == 0:
		return h, protocolError("A stream frame names stream 0")
	case h.Type >= TypePing && h.StreamID != 0:
		return h, protocolError("A session frame names stream " + strconv.FormatUint(uint64(h.StreamID), 10))
	case h.Type == TypeData && h.Length > FrameBytesMax:
		return h, protocolError("A data frame has " + strconv.FormatUint(uint64(h.Length), 10) + " bytes, want at most " + strconv.Itoa(FrameBytesMax))
	}
	return h, nil
}

// Put writes the header into the first twelve bytes of b.
func (h Header) Put(b []byte) {
	b[0] = 0
	b[1] = h.Type
	binary.BigEndian.PutUint16(b[2:], h.Flags)
	binary.BigEndian.PutUint32(b[4:], h.StreamID)
	binary.BigEndian.PutUint32(b[8:], h.Length)
}

// protocolError is a break of the protocol, as opposed to the link's end.
type protocolError string

func (e protocolError) Error() string { return string(e) }

// IsProtocol says whether a session ended because of what the host sent, so that the link is
// still there.
func IsProtocol(err error) bool {
	_, ok := err.(protocolError)
	return ok
}
