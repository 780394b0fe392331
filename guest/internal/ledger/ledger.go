// Package ledger is what the network process leaves when it dies: a table in memory that it shares with PID 1, of the
// streams it has open to the host and the connections they belong to.
package ledger

import (
	"encoding/binary"
	"net/netip"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	headBytes = 16
	slotBytes = 48
	// Slots are as many streams as may be open.
	Slots = 1024
	size  = headBytes + Slots*slotBytes
)

// Ledger is one side's view of the table. The network process alone writes it.
type Ledger struct {
	table []byte
	mu    sync.Mutex // of this side; the other reads when this one is dead
	slots map[uint32]int
	free  []int
}

// Entry is one open stream; Src and Dst are valid for a TCP connection.
type Entry struct {
	ID       uint32
	Src, Dst netip.AddrPort
}

// Create makes an empty table and the descriptor by which another process opens it.
func Create() (*Ledger, int, error) {
	fd, err := unix.MemfdCreate("network", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, -1, err
	}
	if err = unix.Ftruncate(fd, size); err == nil {
		var l *Ledger
		if l, err = Open(fd); err == nil {
			return l, fd, nil
		}
	}
	_ = unix.Close(fd)
	return nil, -1, err
}

// Open maps the table.
func Open(fd int) (*Ledger, error) {
	table, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Ledger{table: table}, nil
}

// Close unmaps it.
func (l *Ledger) Close() { _ = unix.Munmap(l.table) }

// Begin empties the table for a session in which the next stream has the number next.
func (l *Ledger) Begin(next uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.table)
	binary.NativeEndian.PutUint32(l.table, next)
	l.slots, l.free = map[uint32]int{}, l.free[:0]
	for slot := Slots - 1; slot >= 0; slot-- {
		l.free = append(l.free, slot)
	}
}

// Next is the number after those that were used.
func (l *Ledger) Next() uint32 { return binary.NativeEndian.Uint32(l.table) }

func (l *Ledger) slot(at int) []byte { return l.table[headBytes+at*slotBytes:][:slotBytes] }

// Changed notes that a stream began or ended.
func (l *Ledger) Changed(id uint32, open bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if open {
		if id >= l.Next() {
			binary.NativeEndian.PutUint32(l.table, id+2)
		}
		if n := len(l.free); n > 0 {
			at := l.free[n-1]
			l.free = l.free[:n-1]
			l.slots[id] = at
			clear(l.slot(at))
			binary.NativeEndian.PutUint32(l.slot(at), id)
		}
		return
	}
	if at, ok := l.slots[id]; ok {
		delete(l.slots, id)
		l.free = append(l.free, at)
		clear(l.slot(at))
	}
}

// Connection notes whose stream it is.
func (l *Ledger) Connection(id uint32, src, dst netip.AddrPort) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, ok := l.slots[id]
	if !ok {
		return
	}
	s := l.slot(at)
	copy(s[8:], pack(src))
	copy(s[28:], pack(dst))
}

func pack(a netip.AddrPort) []byte {
	ip := a.Addr().As16()
	return binary.BigEndian.AppendUint16(ip[:], a.Port())
}

func unpack(b []byte) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[:16])).Unmap(), binary.BigEndian.Uint16(b[16:]))
}

// Entries are the open streams, in the order of the table. Numbers that no stream of ours can have are left out: whoever wrote them
// was dying.
func (l *Ledger) Entries() (open []Entry) {
	for at := range Slots {
		s := l.slot(at)
		id := binary.NativeEndian.Uint32(s)
		if id == 0 || id%2 != 0 || id >= l.Next() {
			continue
		}
		e := Entry{ID: id}
		if src, dst := unpack(s[8:]), unpack(s[28:]); src.Port() != 0 {
			e.Src, e.Dst = src, dst
		}
		open = append(open, e)
	}
	return open
}
