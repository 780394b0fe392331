package exec

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"microagent.dev/guest/internal/wire"
)

// start runs a request's command, or says why it never ran.
func start(req *wire.Exec, ready *foreseen) (*process, *stdio, *wire.Failure) {
	id, failure := ready.whoRuns(req.User)
	if failure != nil {
		return nil, nil, failure
	}
	env := req.Env
	if !has(env, "HOME") {
		home := id.home
		if req.User == "" {
			self, _ := resolveUser(strconv.Itoa(os.Geteuid()))
			home = self.home
		}
		if home == "" {
			home = "/"
		}
		env = append(env[:len(env):len(env)], "HOME="+home)
	}
	if req.TTY && !has(env, "TERM") {
		env = append(env[:len(env):len(env)], "TERM=xterm")
	}
	file, failure := lookUp(req.Argv[0], req.Cwd, env)
	if failure != nil {
		return nil, nil, failure
	}
	l := &launching{
		path: file, argv: req.Argv, env: env, dir: req.Cwd,
		user: id.credential(), session: req.TTY, cgroup: -1,
	}
	if ready.place != nil {
		l.cgroup = ready.place.fd
	}
	if p, io := ready.run(l, id); p != nil {
		return p, io, nil
	}
	var io *stdio
	var err error
	if req.TTY {
		io, err = openTerminal(req.Rows, req.Cols, id)
	} else {
		io, err = openPipes(req.Stdin, id)
	}
	if err != nil {
		errno, _ := err.(unix.Errno)
		return nil, nil, notStarted(errno, "Could not open the command's descriptors: "+err.Error())
	}
	l.files = io.child
	p, err := spawn(l)
	if err != nil {
		io.discard()
		return nil, nil, explain(err, req.Argv[0], req.Cwd)
	}
	io.closeChild()
	return p, io, nil
}

// whoRuns spares the account files for the usual case, root.
func whoRuns(user string) (identity, *wire.Failure) {
	if user == "" {
		return identity{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}, nil
	}
	return resolveUser(user)
}
