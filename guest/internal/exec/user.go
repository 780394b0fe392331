package exec

import (
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// identity is who a command runs as.
type identity struct {
	uid, gid uint32
	groups   []uint32
	home     string // empty when the user has no passwd entry
}

// accountFileBytesMax bounds what is read of /etc/passwd and /etc/group.
const accountFileBytesMax = 4 << 20

// records calls fn with the fields of each line until fn returns true.
func records(path string, fields int, fn func([]string) bool) {
	for text := accounts(path); text != ""; {
		line, rest, _ := strings.Cut(text, "\n")
		text = rest
		if f := strings.Split(line, ":"); len(f) >= fields && fn(f) {
			return
		}
	}
}

// accounts reads an account file, nothing when it is none. Package os would watch over the descriptor: on the way to a
// machine's first command that is code to run for the first time.
func accounts(path string) string {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > accountFileBytesMax {
		return ""
	}
	data := make([]byte, st.Size)
	for have := 0; have < len(data); {
		n, err := unix.Read(fd, data[have:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return ""
		}
		if n == 0 {
			data = data[:have]
		}
		have += n
	}
	return string(data)
}

func number(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil && n < 1<<32-1
}

// resolveUser reads a user as in the OCI image configuration. With a group given, supplementary
// groups are left out, as that specification says.
func resolveUser(user string) (identity, *wire.Failure) {
	name, group, _ := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	var id identity
	uid, numeric := number(name)
	found := false
	login := ""
	records("/etc/passwd", 6, func(f []string) bool {
		u, ok := number(f[2])
		if !ok || f[0] != name && (!numeric || u != uid) {
			return false
		}
		id.uid, found, login, id.home = u, true, f[0], f[5]
		id.gid, _ = number(f[3])
		return true
	})
	if !found {
		if !numeric {
			return id, notStarted(unix.ENOENT, "User "+strconv.Quote(name)+" is not in /etc/passwd")
		}
		id.uid = uid
	}
	if group == "" {
		records("/etc/group", 4, func(f []string) bool {
			for _, m := range strings.Split(f[3], ",") {
				if m == login && login != "" {
					if gid, ok := number(f[2]); ok && len(id.groups) < 1024 {
						id.groups = append(id.groups, gid)
					}
				}
			}
			return false
		})
		return id, nil
	}
	gid, numeric := number(group)
	if numeric {
		id.gid = gid
		return id, nil
	}
	found = false
	records("/etc/group", 3, func(f []string) bool {
		if f[0] == group {
			gid, found = number(f[2])
		}
		return found
	})
	if !found {
		return id, notStarted(unix.ENOENT, "Group "+strconv.Quote(group)+" is not in /etc/group")
	}
	id.gid = gid
	return id, nil
}

// credential is nil when the command runs as we do: nothing to ask the kernel for.
func (id identity) credential() *syscall.Credential {
	if int(id.uid) == os.Geteuid() && int(id.gid) == os.Getegid() && len(id.groups) == 0 {
		return nil
	}
	return &syscall.Credential{Uid: id.uid, Gid: id.gid, Groups: id.groups}
}

// has says whether an environment sets a name.
func has(env []string, name string) bool {
	for _, e := range env {
		if strings.HasPrefix(e, name) && len(e) > len(name) && e[len(name)] == '=' {
			return true
		}
	}
	return false
}
