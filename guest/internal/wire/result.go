package wire

// ExecResult is the last frame of an exec.
type ExecResult struct {
	Status    string // exited, signaled or timed_out
	ExitCode  int    // counts when Signal is empty
	Signal    string // "SIGSEGV", empty when the command exited
	StartedNS int64
	EndedNS   int64
	OOMKilled bool
	Drained   bool
}

// Encode gives the frame's payload.
func (r ExecResult) Encode() []byte {
	o := NewObject().Str("status", r.Status)
	if r.Signal != "" {
		o.Str("signal", r.Signal)
	} else {
		o.Int("exit_code", int64(r.ExitCode))
	}
	return o.Decimal("started_at_unix_ns", r.StartedNS).Decimal("ended_at_unix_ns", r.EndedNS).
		Bool("oom_killed", r.OOMKilled).Bool("drained", r.Drained).Bytes()
}
