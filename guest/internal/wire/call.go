package wire

import (
	"errors"
	"net/netip"
)

// CallBytesMax bounds the line the agent opens a stream with, and the plain answer to it.
const CallBytesMax = 4 << 10

// AnswerBytesMax bounds an answer that carries a secret's value.
const AnswerBytesMax = 2 << 20

// TCPCall asks the host for a TCP connection. A window of more than 0 asks it to begin with that many bytes, fewer
// than every stream may begin with.
func TCPCall(dst netip.AddrPort, srcPort uint16, window int) []byte {
	call := flowCall("tcp", dst, srcPort)
	if window > 0 {
		call.Int("window", int64(window))
	}
	return call.Line()
}

// UDPCall asks the host to exchange datagrams with one destination.
func UDPCall(dst netip.AddrPort, srcPort uint16) []byte { return flowCall("udp", dst, srcPort).Line() }

func flowCall(op string, dst netip.AddrPort, srcPort uint16) *Object {
	return NewObject().Str("op", op).Str("dst", dst.Addr().String()).Int("port", int64(dst.Port())).Int("src_port", int64(srcPort))
}

// DNSCall asks the host one DNS question that was sent to dst.
func DNSCall(dst netip.Addr) []byte {
	return NewObject().Str("op", "dns").Str("dst", dst.String()).Str("transport", "udp").Line()
}

// UnmediatedCall tells the host of packets that no stream can carry.
func UnmediatedCall(protocol string, dst netip.Addr, count int) []byte {
	return NewObject().Str("op", "unmediated").Str("protocol", protocol).Str("dst", dst.String()).Int("count", int64(count)).Line()
}

// SecretCall asks for a secret's value.
func SecretCall(name string) []byte { return NewObject().Str("op", "secret").Str("name", name).Line() }

// MediationCall asks for the way to the host's mediator.
func MediationCall() []byte { return NewObject().Str("op", "mediation").Line() }

// Answer is what the host says to a call.
type Answer struct {
	OK      bool
	Code    string // denied, refused, unreachable, timed_out, limit, failed, unsupported
	Message string
	Value   string // base64, of a secret
}

// ParseAnswer reads an answer's line without its newline.
func ParseAnswer(line []byte) (Answer, error) {
	o, err := parseObject(line)
	if err != nil {
		return Answer{}, err
	}
	if o.get("ok") == nil {
		return Answer{}, errors.New("Field \"ok\" is missing")
	}
	a := Answer{OK: o.boolean("ok"), Code: o.str("code"), Message: o.str("message"), Value: o.str("value")}
	if o.err == nil && !a.OK && a.Code == "" {
		o.err = errors.New("Field \"code\" is missing from a refusal")
	}
	return a, o.err
}
