module microagent.dev/netload

go 1.26
