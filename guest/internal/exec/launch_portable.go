//go:build !amd64

package exec

func launch(l *launching) (pid, pidfd int, err error) { return launchPortable(l) }
