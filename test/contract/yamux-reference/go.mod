module microagent.dev/test/yamux-reference

go 1.26.0

require github.com/hashicorp/yamux v0.1.2
