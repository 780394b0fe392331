package exec

import "bytes"

// parseOOMKills finds the oom_kill counter in the text of memory.events.
func parseOOMKills(text []byte) uint64 {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		digits, ok := bytes.CutPrefix(line, []byte("oom_kill "))
		if !ok {
			continue
		}
		var n uint64
		for _, d := range digits {
			if d < '0' || d > '9' {
				break
			}
			n = n*10 + uint64(d-'0')
		}
		return n
	}
	return 0
}
