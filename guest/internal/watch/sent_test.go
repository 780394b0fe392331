package watch

import "testing"

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2328 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:2328 0100007F:D431 04 00011DC0:00000000 04:00000014 00000000     0        0 0 2 0000000000000000 20 4 30 10 -1
   2: 0100007F:D431 0100007F:2328 01 00000040:00011DC0 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:D432 0100007F:2328 06 00000000:00000000 03:00000170 00000000     0        0 0 3 0000000000000000
   4: 0100007F:2328 0100007F:D433 09 00000001:00000000 01:00000014 00000000     0        0 0 2 0000000000000000 20 4 30 10 -1
`

func TestOrphansThatSendAreCounted(t *testing.T) {
	if got := orphansSending([]byte(table)); got != 2 {
		t.Errorf("%d sockets, want those in lines 1 and 4", got)
	}
	if got := orphansSending([]byte("nonsense\n0: 1 2 3 zz:0 5 6 7 8 0\n")); got != 0 {
		t.Errorf("%d sockets of nonsense, want none", got)
	}
}
