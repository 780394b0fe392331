// Package testclient is the host's side for tests, on the reference implementation of yamux.
package testclient

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hashicorp/yamux"
)

// SessionID is what Connect says.
const SessionID = "00112233445566778899aabbccddeeff"

// Client is a connected host.
type Client struct {
	Hello   map[string]any
	Session *yamux.Session
}

type link struct {
	io.Reader
	io.Writer
	io.Closer
}

// Connect shakes hands over a byte stream.
func Connect(conn io.ReadWriteCloser) (*Client, error) {
	if _, err := fmt.Fprintf(conn, "MICROAGENT {\"v\":1,\"session\":\"%s\"}\n", SessionID); err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	line, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	rest, ok := strings.CutPrefix(line, "MICROAGENT ")
	if !ok {
		return nil, fmt.Errorf("not a handshake: %q", line)
	}
	c := &Client{}
	if err := json.Unmarshal([]byte(rest), &c.Hello); err != nil {
		return nil, err
	}
	c.Session, err = yamux.Client(link{in, conn, conn}, config())
	return c, err
}

// Stream is one request with its replies and frames.
type Stream struct {
	*yamux.Stream
	In *bufio.Reader
}

// Open sends a request line.
func (c *Client) Open(request any) (*Stream, error) {
	st, err := c.Session.OpenStream()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	if _, err := st.Write(append(line, '\n')); err != nil {
		return nil, err
	}
	return &Stream{st, bufio.NewReaderSize(st, 64<<10)}, nil
}

// Reply reads one reply line.
func (s *Stream) Reply() (map[string]any, error) {
	line, err := s.In.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	var reply map[string]any
	return reply, json.Unmarshal(line, &reply)
}

// Call sends a request and reads its one reply.
func (c *Client) Call(request any) (map[string]any, error) {
	s, err := c.Open(request)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	return s.Reply()
}

// Frame reads one frame.
func (s *Stream) Frame() (kind byte, payload []byte, err error) {
	var h [5]byte
	if _, err := io.ReadFull(s.In, h[:]); err != nil {
		return 0, nil, err
	}
	payload = make([]byte, binary.BigEndian.Uint32(h[1:]))
	_, err = io.ReadFull(s.In, payload)
	return h[0], payload, err
}

// Send writes one frame.
func (s *Stream) Send(kind byte, payload []byte) error {
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(payload)))
	_, err := s.Write(append(b, payload...))
	return err
}

// SendJSON writes one frame with a JSON payload.
func (s *Stream) SendJSON(kind byte, payload any) error {
	b, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	return s.Send(kind, b)
}

// Outcome is a whole exec.
type Outcome struct {
	Reply          map[string]any
	Stdout, Stderr []byte
	Result         map[string]any
}

// M is a JSON object.
type M = map[string]any

// ErrRefused means that the reply was not ok.
var ErrRefused = errors.New("refused")

// Exec runs a command to its end, sending stdin when it is not nil.
func (c *Client) Exec(request M, stdin []byte) (*Outcome, error) {
	request["op"] = "exec"
	if stdin != nil {
		request["stdin"] = true
	}
	s, err := c.Open(request)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	o := &Outcome{}
	if o.Reply, err = s.Reply(); err != nil {
		return o, err
	}
	if o.Reply["ok"] != true {
		return o, ErrRefused
	}
	if stdin != nil {
		go func() {
			for len(stdin) > 0 {
				n := min(len(stdin), 32000)
				if s.Send(1, stdin[:n]) != nil {
					return
				}
				stdin = stdin[n:]
			}
			_ = s.Send(2, nil)
		}()
	}
	return o, s.Collect(o)
}

// Collect reads frames up to the result.
func (s *Stream) Collect(o *Outcome) error {
	for {
		kind, payload, err := s.Frame()
		if err != nil {
			return err
		}
		switch kind {
		case 0x11:
			o.Stdout = append(o.Stdout, payload...)
		case 0x12:
			o.Stderr = append(o.Stderr, payload...)
		case 0x1f:
			return json.Unmarshal(payload, &o.Result)
		default:
			return fmt.Errorf("frame kind %#x", kind)
		}
	}
}
