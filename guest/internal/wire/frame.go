package wire

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// Kind is a frame's first byte.
type Kind uint8

// Frame kinds of docs/protocol.md.
const (
	KindStdin    Kind = 0x01
	KindStdinEOF Kind = 0x02
	KindResize   Kind = 0x03
	KindSignal   Kind = 0x04
	KindStdout   Kind = 0x11
	KindStderr   Kind = 0x12
	KindResult   Kind = 0x1f
	KindEntry    Kind = 0x21
	KindData     Kind = 0x22
	KindHole     Kind = 0x23
	KindEntryEnd Kind = 0x24
	KindSkip     Kind = 0x25
	KindEnd      Kind = 0x2f
)

// FrameHeaderBytes is the size of kind and length.
const FrameHeaderBytes = 5

// FrameHeader stands before every payload.
type FrameHeader struct {
	Kind   Kind
	Length uint32
}

// payloadMax is the largest payload of a kind, -1 for an unknown kind.
func payloadMax(kind Kind) int {
	switch kind {
	case KindStdin, KindStdout, KindStderr, KindData:
		return PayloadBytesMax
	case KindResize, KindSignal, KindResult, KindEntry, KindSkip, KindEnd:
		return JSONBytesMax
	case KindHole:
		return 8
	case KindStdinEOF, KindEntryEnd:
		return 0
	}
	return -1
}

// ParseFrameHeader checks kind and length together, so no payload is read that would be refused.
func ParseFrameHeader(b [FrameHeaderBytes]byte) (FrameHeader, error) {
	h := FrameHeader{Kind: Kind(b[0]), Length: binary.BigEndian.Uint32(b[1:])}
	most := payloadMax(h.Kind)
	if most < 0 {
		return h, errors.New("Frame kind 0x" + strconv.FormatUint(uint64(b[0]), 16) + " is unknown")
	}
	if int64(h.Length) > int64(most) || h.Kind == KindHole && h.Length != 8 {
		return h, errors.New("A frame of kind 0x" + strconv.FormatUint(uint64(b[0]), 16) + " has " +
			strconv.FormatUint(uint64(h.Length), 10) + " bytes, want at most " + strconv.Itoa(most))
	}
	return h, nil
}

// PutFrameHeader writes the header into the first five bytes of b.
func PutFrameHeader(b []byte, kind Kind, length int) {
	b[0] = byte(kind)
	binary.BigEndian.PutUint32(b[1:5], uint32(length))
}

// ParseResize reads a terminal size.
func ParseResize(payload []byte) (rows, cols uint16, err error) {
	o, err := parseObject(payload)
	if err != nil {
		return 0, 0, err
	}
	r, c := size(o)
	return r, c, o.err
}

func size(o *object) (rows, cols uint16) {
	return uint16(o.integer("rows", 1, 65535, 24)), uint16(o.integer("cols", 1, 65535, 80))
}

// ParseSignal reads a signal's name.
func ParseSignal(payload []byte) (string, error) {
	o, err := parseObject(payload)
	if err != nil {
		return "", err
	}
	name := o.str("signal")
	if o.err == nil && name == "" {
		return "", errors.New("Field \"signal\" is missing")
	}
	return name, o.err
}
