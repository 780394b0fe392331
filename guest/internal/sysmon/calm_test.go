package sysmon

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func slackOf(t *testing.T, tid int) string {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(tid) + "/timerslack_ns")
	if err != nil {
		t.Skip(err)
	}
	return strings.TrimSpace(string(text))
}

func TestCalmReachesTheWatcherAndSparesTheCaller(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self := unix.Gettid()
	before := slackOf(t, self)
	Calm()
	if now := slackOf(t, self); now != before {
		t.Errorf("slack of the caller is %s, want %s", now, before)
	}
	calmed := 0
	for _, name := range threads() {
		tid, _ := strconv.Atoi(name)
		if tid != self && tid != unix.Getpid() && slackOf(t, tid) == slack {
			calmed++
		}
	}
	if calmed == 0 {
		t.Error("no thread is calm, want the watcher at least")
	}
}
