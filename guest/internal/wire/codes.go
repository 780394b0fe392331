package wire

import (
	"strconv"

	"golang.org/x/sys/unix"
)

// Code names a failure to the host.
type Code string

// The closed list of docs/protocol.md.
const (
	InvalidRequest    Code = "invalid_request"
	NotConfigured     Code = "not_configured"
	AlreadyConfigured Code = "already_configured"
	Quiesced          Code = "quiesced"
	NotFound          Code = "not_found"
	NotADirectory     Code = "not_a_directory"
	IsADirectory      Code = "is_a_directory"
	PermissionDenied  Code = "permission_denied"
	Exists            Code = "exists"
	NoSpace           Code = "no_space"
	NotStarted        Code = "not_started"
	Unsupported       Code = "unsupported"
	TooLarge          Code = "too_large"
	Refused           Code = "refused"
	IOError           Code = "io_error"
)

// Failure is an error the host is told about.
type Failure struct {
	Code    Code
	Errno   unix.Errno // 0 when the kernel had no part in it
	Message string
}

func (f *Failure) Error() string { return f.Message }

// Fail makes a failure that did not come from the kernel.
func Fail(code Code, message string) *Failure { return &Failure{Code: code, Message: message} }

// FailErrno describes a refused system call on a path.
func FailErrno(errno unix.Errno, action, path string) *Failure {
	return &Failure{
		Code:    CodeOf(errno),
		Errno:   errno,
		Message: "Could not " + action + " " + strconv.Quote(path) + ": " + ErrnoText(errno),
	}
}

// AsFailure wraps any error of this program for the wire.
func AsFailure(err error, action, path string) *Failure {
	switch e := err.(type) {
	case *Failure:
		return e
	case unix.Errno:
		return FailErrno(e, action, path)
	}
	return Fail(IOError, "Could not "+action+" "+strconv.Quote(path)+": "+err.Error())
}

// ErrnoText is the symbol and the sentence: "ENOENT (no such file or directory)".
func ErrnoText(errno unix.Errno) string {
	name := unix.ErrnoName(errno)
	if name == "" {
		name = "errno " + strconv.Itoa(int(errno))
	}
	return name + " (" + errno.Error() + ")"
}

// CodeOf maps a kernel error to the closed list.
func CodeOf(errno unix.Errno) Code {
	switch errno {
	case unix.ENOENT:
		return NotFound
	case unix.ENOTDIR:
		return NotADirectory
	case unix.EISDIR:
		return IsADirectory
	case unix.EACCES, unix.EPERM, unix.EROFS, unix.EXDEV, unix.ELOOP:
		return PermissionDenied
	case unix.EEXIST, unix.ENOTEMPTY:
		return Exists
	case unix.ENOSPC, unix.EDQUOT:
		return NoSpace
	case unix.ENAMETOOLONG, unix.EFBIG:
		return TooLarge
	case unix.EOPNOTSUPP, unix.ENOSYS:
		return Unsupported
	}
	return IOError
}

// Reply is the refusing answer to a request.
func (f *Failure) Reply() *Object {
	o := NewObject().Bool("ok", false).Str("code", string(f.Code))
	if f.Errno != 0 {
		o.Str("errno", unix.ErrnoName(f.Errno))
	}
	return o.Str("message", f.Message)
}

// OK starts the accepting answer to a request.
func OK() *Object { return NewObject().Bool("ok", true) }
