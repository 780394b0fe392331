package initsys

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/fault"
	"microagent.dev/guest/internal/wire"
)

// Resume makes the machine another one than that which was saved. Everything it shares with its siblings
// is replaced while the workload still stands: the generator first, then what is drawn from it.
func (m *machine) Resume(r *wire.Resume) *wire.Failure {
	if failure := seed(r.Entropy); failure != nil {
		return failure
	}
	if failure := setClock(r.TimeUnixNS); failure != nil {
		return failure
	}
	if failure := m.rename(&r.Identity); failure != nil {
		return failure
	}
	renewMachineID()
	m.renewBootID()
	asked := ways{r.Network, r.Services}
	if !asked.same(m.asked) {
		if failure := m.reach(r.Network, r.Services); failure != nil {
			return failure
		}
		m.asked = asked
	}
	thaw()
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

// rename sets the host name and replaces the old one where we had written it; a name that the image or a
// command has written stays.
func (m *machine) rename(id *wire.Identity) *wire.Failure {
	if err := unix.Sethostname([]byte(id.Hostname)); err != nil {
		return wire.AsFailure(err, "set the host name", id.Hostname)
	}
	if have, _ := read("/etc/hostname"); have == "" || have == m.named.Hostname+"\n" {
		if failure := overwrite("/etc/hostname", have, id.Hostname+"\n"); failure != nil {
			return failure
		}
	}
	if have, ok := read("/etc/hosts"); ok && len(have) < smallFileBytes {
		if failure := overwrite("/etc/hosts", have, renamedHosts(have, &m.named, id)); failure != nil {
			return failure
		}
	} else if failure := writeHosts(id); failure != nil {
		return failure
	}
	m.named = wire.Identity{Hostname: id.Hostname, Hosts: id.Hosts}
	return nil
}

// renamedHosts is a hosts file in which one identity takes the place of another. Mostly a single line differs; the
// general way costs a clone many milliseconds of code that runs for the first time.
func renamedHosts(have string, old, id *wire.Identity) string {
	if len(old.Hosts) == 1 && len(id.Hosts) == 1 {
		was, is := hostLine(old.Hosts[0]), hostLine(id.Hosts[0])
		if at := strings.Index(have, was); at == 0 || at > 0 && have[at-1] == '\n' {
			return have[:at] + is + have[at+len(was):]
		}
	}
	return hostsText(withoutEntries(have, old), id)
}

func hostLine(h wire.HostEntry) string {
	line := h.IP
	for _, name := range h.Names {
		line += " " + name
	}
	return line + "\n"
}

// overwrite replaces a small file's text in place: to empty a file first, as replace does, is the larger part of
// the work.
func overwrite(path, have, text string) *wire.Failure {
	if have == text {
		return nil
	}
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return replace(path, text)
	}
	defer unix.Close(fd)
	if n, err := unix.Pwrite(fd, []byte(text), 0); err != nil || n != len(text) {
		return replace(path, text)
	}
	if len(have) > len(text) {
		if err := unix.Ftruncate(fd, int64(len(text))); err != nil {
			return wire.AsFailure(err, "shorten", path)
		}
	}
	return nil
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

const machineIDPath = "/etc/machine-id"

// renewMachineID replaces a machine id that was made before the machine was saved. An empty or missing
// one says that programs do without.
func renewMachineID() {
	var st unix.Stat_t
	if unix.Lstat(machineIDPath, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		return
	}
	have, _ := read(machineIDPath)
	have = strings.TrimSpace(have)
	if len(have) != 32 || strings.Trim(have, hexDigits) != "" {
		return
	}
	if failure := replace(machineIDPath, hexText(randomUUID())+"\n"); failure != nil {
		fault.Log(failure.Message)
	}
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

func (m *machine) renewBootID() {
	if !m.bootIDCovered {
		return
	}
	h := hexText(randomUUID())
	text := h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:] + "\n"
	if failure := overwrite(bootIDPath, "", text); failure != nil {
		fault.Log(failure.Message)
	}
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
		n, err := unix.Getrandom(id[at:], 0)
		if err != nil && err != unix.EINTR {
			return id
		}
		at += max(n, 0)
	}
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	return id
}
