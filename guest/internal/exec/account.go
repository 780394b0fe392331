package exec

import "microagent.dev/guest/internal/wire"

// Account gives the numbers of a user as a command's would be.
func Account(user string) (uid, gid uint32, failure *wire.Failure) {
	id, failure := resolveUser(user)
	return id.uid, id.gid, failure
}
