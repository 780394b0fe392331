package netproc

// wanted says whether a packet, behind its header, is for one receiver.
func wanted(b []byte) bool {
	const header = 10 // struct virtio_net_hdr
	if len(b) < header+20 {
		return false
	}
	b = b[header:]
	switch b[0] >> 4 {
	case 4:
		return b[16] < 224
	case 6:
		return len(b) >= 40 && b[24] != 0xff
	}
	return false
}
