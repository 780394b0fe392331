// Package net is the machine's network: a TUN device ends in a TCP/IP stack here, and every connection,
// flow and question becomes a stream to the host. There is no other way out of the machine.
package net

// Device takes and gives whole IP packets, each behind a virtio_net_hdr of headerBytes.
type Device interface {
	// Read waits for a packet; an error means that there will be none.
	Read(p []byte) (int, error)
	// Write sends one packet given in parts, which it does not keep.
	Write(parts [][]byte) error
	Close() error
}

const (
	// headerBytes is what the kernel puts before every packet (struct virtio_net_hdr).
	headerBytes = 10
	// needsChecksum in its first byte: the transport checksum is left to whoever needs one, because the
	// packet never leaves memory.
	needsChecksum = 1
)
