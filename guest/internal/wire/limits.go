// Package wire holds the formats both ends speak: lines, requests, frames and tree entries.
// docs/protocol.md is its specification, test/vectors its golden bytes.
package wire

// Caps of protocol version 1. The host holds the same numbers.
const (
	Version         = 1
	HelloBytesMax   = 4 << 10
	HeaderBytesMax  = 64 << 10
	PayloadBytesMax = 1 << 20
	JSONBytesMax    = 64 << 10
	// PathBytesMax is the kernel's PATH_MAX less its terminator.
	PathBytesMax = 4095
	// NameBytesMax is the longest file name Linux file systems take.
	NameBytesMax = 255
	// jsonDepthMax guards the parser's stack; real messages nest three deep.
	jsonDepthMax = 16
)
