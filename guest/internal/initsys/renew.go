package initsys

import (
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/wire"
)

// Resume makes the machine another one than that which was saved. Everything it shares with its siblings
// is replaced while the workload still stands: the generator first, then what is drawn from it. A machine that was
// not to be saved since is another one already, and only its generator and its clock stood still.
func (m *machine) Resume(r *wire.Resume) *wire.Failure {
	if failure := m.seed(r.Entropy); failure != nil {
		return failure
	}
	if failure := setClock(r.TimeUnixNS); failure != nil {
		return failure
	}
	if p := m.poised; p != nil {
		if failure := m.rename(&r.Identity); failure != nil {
			return failure
		}
		// An id that cannot be written is only missed.
		for _, failure := range []*wire.Failure{
			p.machineID.add(hexText(randomUUID()) + "\n"),
			p.bootID.add(bootID(hexText(randomUUID()))),
		} {
			if failure != nil {
				fault.Log(failure.Message)
			}
		}
	}
	asked := ways{r.Network, r.Services}
	if !asked.same(*m.asked.Load()) {
		if failure := m.reach(r.Network, r.Services); failure != nil {
			return failure
		}
		m.asked.Store(&asked)
	}
	m.letGo()
	return nil
}

// ways are what the machine was told to have towards its host. Connections ended with the session they went
// through; what they went over is opened anew only for a machine that is to have other ways.
type ways struct {
	network  *wire.Network
	services *wire.Services
}

func (w ways) same(other ways) bool {
	a, b := w.network, other.network
	if (a == nil) != (b == nil) || (w.services == nil) != (other.services == nil) {
		return false
	}
	if w.services != nil && *w.services != *other.services {
		return false
	}
	return a == nil || a.Interface == b.Interface && a.MTU == b.MTU && a.IPv4 == b.IPv4 && a.IPv6 == b.IPv6 && slices.Equal(a.DNS, b.DNS)
}

// rename sets the host name and puts it where the old one stood.
func (m *machine) rename(id *wire.Identity) *wire.Failure {
	name := []byte(id.Hostname)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(&name[0])), uintptr(len(name)), 0); errno != 0 {
		return wire.AsFailure(errno, "set the host name", id.Hostname)
	}
	if failure := m.poised.hostname.add(id.Hostname + "\n"); failure != nil {
		return failure
	}
	if m.poised.hosts.fd < 0 {
		if failure := writeHosts(id); failure != nil {
			return failure
		}
	} else if failure := m.poised.hosts.add(hostLines(id)); failure != nil {
		return failure
	}
	m.named = wire.Identity{Hostname: id.Hostname, Hosts: id.Hosts}
	return nil
}

// hostLines are the lines of a hosts file that name a machine and what it was told of.
func hostLines(id *wire.Identity) string {
	text, named := "", false
	for _, h := range id.Hosts {
		text += h.IP
		for _, name := range h.Names {
			text += " " + name
			named = named || name == id.Hostname
		}
		text += "\n"
	}
	if !named {
		text += "127.0.1.1 " + id.Hostname + "\n"
	}
	return text
}

// withoutEntries drops the lines of a hosts file that an identity had put there.
func withoutEntries(text string, id *wire.Identity) string {
	ours := map[string]bool{"127.0.1.1 " + id.Hostname: true}
	for _, h := range id.Hosts {
		ours[h.IP+" "+strings.Join(h.Names, " ")] = true
	}
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if !ours[strings.TrimRight(line, "\n")] {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

const (
	bootIDPath  = "/proc/sys/kernel/random/boot_id"
	newBootPath = "/dev/.boot_id"
)

// coverBootID lays a file over the kernel's boot id, which stays what it was once somebody has read it. It is done
// before the machine is saved, so that a clone has only to write.
func (m *machine) coverBootID() {
	if m.bootIDCovered {
		return
	}
	have, _ := read(bootIDPath)
	err := writeFile(newBootPath, have)
	if err == nil {
		err = unix.Mount(newBootPath, bootIDPath, "", unix.MS_BIND, "")
	}
	_ = unix.Unlink(newBootPath)
	if err != nil {
		fault.Log("cannot cover the boot id: " + err.Error())
		return
	}
	m.bootIDCovered = true
}

func bootID(h string) string {
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + "\n"
}

const hexDigits = "0123456789abcdef"

func hexText(id [16]byte) string {
	text := make([]byte, 0, 2*len(id))
	for _, b := range id {
		text = append(text, hexDigits[b>>4], hexDigits[b&15])
	}
	return string(text)
}

// randomUUID draws from the kernel's generator, never from one of our own: ours may have been saved.
func randomUUID() (id [16]byte) {
	for at := 0; at < len(id); {
		n, _, errno := unix.RawSyscall(unix.SYS_GETRANDOM, uintptr(unsafe.Pointer(&id[at])), uintptr(len(id)-at), 0)
		if errno != 0 && errno != unix.EINTR {
			return id
		}
		if errno == 0 {
			at += int(n)
		}
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
