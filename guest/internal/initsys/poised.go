package initsys

import (
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// poised is what a machine that is saved has at hand to become another one. Finding, opening, reading and shortening
// its files would be half of the work of every clone; while the workload stands still nobody else changes them,
// so that is done once, before. They wait without the machine's names, for the new ones to be added.
type poised struct {
	hostname, hosts   ownFile
	machineID, bootID ownFile
	frozen            bool // whether there was a workload to stop
}

// ownFile is a small file with the beginning that stays. Without a descriptor it is not ours to change.
type ownFile struct {
	path string
	fd   int
	text string
}

func (m *machine) poise(frozen bool) {
	m.letGoFiles()
	p := &poised{frozen: frozen}
	if p.hostname = open("/etc/hostname"); p.hostname.text == m.named.Hostname+"\n" {
		// Not to nothing: then it would have no place on the disk.
		_ = unix.Ftruncate(p.hostname.fd, 1)
		p.hostname.text = ""
	} else {
		// The image or a command has given another.
		p.hostname.close()
	}
	p.hosts = open("/etc/hosts")
	p.hosts.keep(withoutEntries(p.hosts.text, &m.named))
	if p.machineID = open("/etc/machine-id"); !isMachineID(p.machineID.text) {
		// An empty or missing one says that programs do without.
		p.machineID.close()
	}
	p.bootID.fd = -1
	if m.bootIDCovered {
		p.bootID = open(bootIDPath)
	}
	p.machineID.text, p.bootID.text = "", ""
	m.poised = p
}

// letGo lets the workload go on and gives back what was held for the moment before.
func (m *machine) letGo() {
	if p := m.poised; p != nil && p.frozen {
		thaw()
	}
	m.letGoFiles()
}

func (m *machine) letGoFiles() {
	if p := m.poised; p != nil {
		for _, f := range []*ownFile{&p.hostname, &p.hosts, &p.machineID, &p.bootID} {
			f.close()
		}
	}
	m.poised = nil
}

// open opens a small regular file to be written; its time of reading stays what it was.
func open(path string) ownFile {
	f := ownFile{path: path, fd: -1}
	const flags = unix.O_RDWR | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags|unix.O_NOATIME, 0)
	if err != nil {
		return f
	}
	var st unix.Stat_t
	buf := make([]byte, smallFileBytes)
	if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		if n, err := unix.Pread(fd, buf, 0); err == nil && n < len(buf) {
			f.fd, f.text = fd, string(buf[:n])
			return f
		}
	}
	_ = unix.Close(fd)
	return f
}

func (f *ownFile) close() {
	if f.fd >= 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(f.fd), 0, 0)
	}
	f.fd = -1
}

// keep leaves a part of the text in the file, which is not its end where a command has added lines.
func (f *ownFile) keep(text string) {
	if f.fd < 0 {
		return
	}
	if text == "" || !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if _, err := unix.Pwrite(f.fd, []byte(text), 0); err != nil || unix.Ftruncate(f.fd, int64(len(text))) != nil {
		f.close()
	}
	f.text = text
}

// add puts text behind what stays. One write within a block: no more code than that.
func (f *ownFile) add(text string) *wire.Failure {
	if f.fd < 0 {
		return nil
	}
	data := []byte(text)
	_, _, errno := unix.RawSyscall6(unix.SYS_PWRITE64, uintptr(f.fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), uintptr(len(f.text)), 0, 0)
	if errno != 0 {
		return wire.AsFailure(errno, "write", f.path)
	}
	return nil
}

func isMachineID(text string) bool {
	text = strings.TrimSpace(text)
	return len(text) == 32 && strings.Trim(text, hexDigits) == ""
}
