package exec

import "bytes"

// counter finds a value in the text of a cgroup's event file: lines of a name and a number.
func counter(text []byte, key string) uint64 {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		name, digits, ok := bytes.Cut(line, []byte(" "))
		if !ok || string(name) != key {
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
