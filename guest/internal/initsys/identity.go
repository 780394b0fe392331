package initsys

import (
	"strings"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// identify sets the host name, the loopback device and the files in /etc that name the machine.
func identify(c *wire.Configure) *wire.Failure {
	if err := unix.Sethostname([]byte(c.Hostname)); err != nil {
		return wire.AsFailure(err, "set the host name", c.Hostname)
	}
	_ = raiseLoopback()
	if err := makeDir("/etc", 0o755); err != nil {
		return wire.AsFailure(err, "create", "/etc")
	}
	// The image's own file names the machine that built it.
	if failure := replace("/etc/hostname", c.Hostname+"\n"); failure != nil {
		return failure
	}
	allowPing()
	if failure := nameServers(c.Network); failure != nil {
		return failure
	}
	if failure := writeHosts(&c.Identity); failure != nil {
		return failure
	}
	return setTimezone(c.Timezone)
}

// nameServers points the resolver at the network's. The image's own file would name servers of the place
// where it was built; without a network it may say what it likes.
func nameServers(n *wire.Network) *wire.Failure {
	const path = "/etc/resolv.conf"
	if n == nil || len(n.DNS) == 0 {
		// One that refuses at once is better than a wait.
		return provide(path, "nameserver 127.0.0.1\n")
	}
	text := ""
	for _, address := range n.DNS {
		text += "nameserver " + address.String() + "\n"
	}
	return replace(path, text)
}

// provide writes a file unless the image has one with content.
func provide(path, text string) *wire.Failure {
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFREG && st.Size > 0 {
		return nil
	}
	return replace(path, text)
}

// replace writes a small file of the system, in place of a dangling link too.
func replace(path, text string) *wire.Failure {
	err := writeFile(path, text)
	if err != nil {
		_ = unix.Unlink(path)
		err = writeFile(path, text)
	}
	if err != nil {
		return wire.AsFailure(err, "write", path)
	}
	return nil
}

func writeFile(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// What an image left there may have any mode: programs of every user read these.
	if err := unix.Fchmod(fd, 0o644); err != nil {
		return err
	}
	for text != "" {
		n, err := unix.Write(fd, []byte(text))
		if err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// hostsText completes a hosts file: the machine itself and every given entry have a line.
func hostsText(have string, c *wire.Identity) string {
	text := have
	if strings.TrimSpace(text) == "" {
		text = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
	}
	named := map[string]bool{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 1 {
			for _, name := range fields[1:] {
				named[fields[0]+" "+name] = true
				named[name] = true
			}
		}
	}
	if !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, h := range c.Hosts {
		var missing []string
		for _, name := range h.Names {
			if !named[h.IP+" "+name] {
				missing = append(missing, name)
				named[name] = true
			}
		}
		if len(missing) > 0 {
			text += h.IP + " " + strings.Join(missing, " ") + "\n"
		}
	}
	if !named[c.Hostname] {
		text += "127.0.1.1 " + c.Hostname + "\n"
	}
	return text
}

func writeHosts(c *wire.Identity) *wire.Failure {
	have, ok := read("/etc/hosts")
	if ok && len(have) == smallFileBytes {
		// Larger than a file of names for people: leave all of it, add to its end.
		return appendFile("/etc/hosts", "\n"+hostsText("# more names\n", c))
	}
	text := hostsText(have, c)
	if text == have {
		return nil
	}
	return replace("/etc/hosts", text)
}

func appendFile(path, text string) *wire.Failure {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_APPEND|unix.O_CLOEXEC, 0)
	if err != nil {
		return wire.AsFailure(err, "write", path)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte(text)); err != nil {
		return wire.AsFailure(err, "write", path)
	}
	return nil
}

// setTimezone links the zone's file where the image has it and no choice of its own.
func setTimezone(zone string) *wire.Failure {
	if zone == "" {
		return nil
	}
	var st unix.Stat_t
	target := "/usr/share/zoneinfo/" + zone
	if unix.Stat(target, &st) != nil || unix.Lstat("/etc/localtime", &st) == nil {
		return nil
	}
	if err := unix.Symlink(target, "/etc/localtime"); err != nil {
		return wire.AsFailure(err, "create", "/etc/localtime")
	}
	return nil
}

// allowPing lets every user open the sockets of ping, as distributions do. It costs nothing: of the network only the gateway answers.
func allowPing() {
	fd, err := unix.Open("/proc/sys/net/ipv4/ping_group_range", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_, _ = unix.Write(fd, []byte("0 2147483647\n"))
}

func raiseLoopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, lo)
}
