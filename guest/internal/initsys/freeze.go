package initsys

import (
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/exec"
	"microagent.dev/guest/internal/wire"
)

// freezeWait bounds the wait for processes that are busy in the kernel.
const freezeWait = 5 * time.Second

// Quiesce stops every process of the workload, so that none of them runs in a machine started from the
// saved one before that has numbers, a clock and a name of its own; then it writes the disks.
func (m *machine) Quiesce() *wire.Failure {
	exec.Unforesee(&m.box)
	populated := isPopulated()
	if populated && !freeze() {
		thaw()
		return wire.Fail(wire.IOError, "Could not stop the workload's processes within "+freezeWait.String())
	}
	m.coverBootID()
	m.poise(populated)
	exec.Foresee(&m.box, !populated)
	spareThreads()
	spareMemory()
	unix.Sync()
	return nil
}

// isPopulated says whether the workload has a process. Where none is, none comes before resume: commands are refused.
func isPopulated() bool {
	text, ok := read(cgroupBox + "/cgroup.events")
	return !ok || !strings.Contains(text, "populated 0")
}

func freeze() bool {
	if !write(cgroupBox+"/cgroup.freeze", "1") {
		return false
	}
	for deadline := time.Now().Add(freezeWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if text, ok := read(cgroupBox + "/cgroup.events"); ok && strings.Contains(text, "frozen 1") {
			return true
		}
	}
	return false
}

func thaw() { write(cgroupBox+"/cgroup.freeze", "0") }

// spareThreads lets the runtime have a few threads that wait for work. To start one is as much code as to become another
// machine.
func spareThreads() {
	var ended sync.WaitGroup
	for range sparesWanted {
		ended.Go(func() {
			pause := unix.NsecToTimespec(int64(sparesPause))
			_ = unix.Nanosleep(&pause, nil)
		})
	}
	ended.Wait()
}

const (
	sparesWanted = 4
	// sparesPause is longer than the runtime leaves a processor to a thread that waits.
	sparesPause = 15 * time.Millisecond
)

// spareMemory lets the next small objects of every size find room that the runtime has got ready: to get more from the
// kernel is as much code again.
func spareMemory() {
	const (
		spanBytes   = 8 << 10 // of most sizes up to largestSize
		largestSize = 1280
	)
	for size := 16; size <= largestSize; size += 16 {
		for range spanBytes / size {
			if spare = make([]byte, size); uintptr(unsafe.Pointer(&spare[0]))%spanBytes == 0 {
				break
			}
		}
		for range spanBytes / size {
			if sparePointers = make([]*byte, size/8); uintptr(unsafe.Pointer(&sparePointers[0]))%spanBytes < 16 {
				break
			}
		}
	}
	spare, sparePointers = nil, nil
}

// What is assigned to these comes from the heap.
var (
	spare         []byte
	sparePointers []*byte
)
