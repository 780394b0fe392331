// Command netload makes traffic in a guest and says, as one JSON object, what came of it. The server at the other end is
// server.mjs: the first line of a connection says what it does.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	commands := map[string]func([]string) map[string]any{
		"address": address, "resolve": resolve,
		"receive": receive, "send": send, "tls-receive": tlsReceive,
		"requests": requests, "churn": churn,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fail("no such command")
	}
	text, _ := json.Marshal(commands[os.Args[1]](os.Args[2:]))
	fmt.Println(string(text))
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

func must[T any](value T, err error) T {
	if err != nil {
		fail(err)
	}
	return value
}

func number(text string) int64 { return must(strconv.ParseInt(text, 10, 64)) }

// address INTERFACE ADDRESS MASK brings an interface up.
func address(args []string) map[string]any {
	fd := must(syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0))
	set := func(request uintptr, fill func(b []byte)) {
		var b [40]byte
		copy(b[:], args[0])
		fill(b[16:])
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&b[0]))); e != 0 {
			fail(e)
		}
	}
	internet := func(text string) func([]byte) {
		return func(b []byte) {
			binary.NativeEndian.PutUint16(b, syscall.AF_INET)
			copy(b[4:], net.ParseIP(text).To4())
		}
	}
	set(syscall.SIOCSIFADDR, internet(args[1]))
	set(syscall.SIOCSIFNETMASK, internet(args[2]))
	set(syscall.SIOCSIFFLAGS, func(b []byte) {
		binary.NativeEndian.PutUint16(b, syscall.IFF_UP|syscall.IFF_RUNNING)
	})
	return map[string]any{}
}

// resolve NAME
func resolve(args []string) map[string]any {
	return map[string]any{"addresses": must(net.LookupHost(args[0]))}
}

// bufferBytes holds a whole number of words.
const bufferBytes = 256 << 10

// fill writes the words at a position of the one stream that everybody sends: each word is its number.
func fill(buffer []byte, position int64) {
	for i := 0; i < len(buffer); i += 4 {
		binary.LittleEndian.PutUint32(buffer[i:], uint32((position+int64(i))/4))
	}
}

// receive ADDRESS:PORT BYTES exact|any
func receive(args []string) map[string]any {
	conn := must(net.Dial("tcp", args[0]))
	defer conn.Close()
	size, exact := number(args[1]), args[2] == "exact"
	started := time.Now()
	fmt.Fprintf(conn, "send %d\n", size)
	got := take(conn, exact)
	if got != size {
		fail(fmt.Sprint("got ", got, " bytes"))
	}
	return map[string]any{"seconds": time.Since(started).Seconds()}
}

func take(from io.Reader, exact bool) int64 {
	buffer := make([]byte, bufferBytes)
	total, held := int64(0), 0
	for {
		n, err := from.Read(buffer[held:])
		if exact {
			held += n
			whole := held &^ 3
			for i := 0; i < whole; i += 4 {
				if binary.LittleEndian.Uint32(buffer[i:]) != uint32((total+int64(i))/4) {
					fail(fmt.Sprint("wrong at ", total+int64(i)))
				}
			}
			copy(buffer, buffer[whole:held])
			held -= whole
			total += int64(whole)
		} else {
			total += int64(n)
		}
		if err == io.EOF {
			var word [4]byte
			fill(word[:], total)
			if !bytes.Equal(buffer[:held], word[:held]) {
				fail(fmt.Sprint("wrong at ", total))
			}
			return total + int64(held)
		}
		if err != nil {
			fail(err)
		}
	}
}

// send ADDRESS:PORT BYTES exact|any
func send(args []string) map[string]any {
	conn := must(net.Dial("tcp", args[0]))
	defer conn.Close()
	size, exact := number(args[1]), args[2] == "exact"
	started := time.Now()
	fmt.Fprintf(conn, "take %s\n", args[2])
	buffer := make([]byte, bufferBytes)
	for sent := int64(0); sent < size; {
		part := buffer[:min(bufferBytes, size-sent)]
		if exact {
			fill(buffer[:(len(part)+3)&^3], sent)
		}
		sent += int64(must(conn.Write(part)))
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		fail(err)
	}
	answer := must(bufio.NewReader(conn).ReadString('\n'))
	if answer != fmt.Sprintf("took %d\n", size) {
		fail(answer)
	}
	return map[string]any{"seconds": time.Since(started).Seconds()}
}

// tls-receive ADDRESS:PORT NAME BYTES asks an HTTPS server for a path that is the number.
func tlsReceive(args []string) map[string]any {
	started := time.Now()
	conn := must(tls.Dial("tcp", args[0], &tls.Config{ServerName: args[1], InsecureSkipVerify: true}))
	defer conn.Close()
	connected := time.Since(started).Seconds()
	started = time.Now()
	fmt.Fprintf(conn, "GET /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", args[2], args[1])
	if got := take(conn, false); got < number(args[2]) {
		fail(fmt.Sprint("got ", got, " bytes"))
	}
	return map[string]any{"seconds": time.Since(started).Seconds(), "connect": connected}
}

// request is one connection with a question and an answer.
func request(to string) error {
	conn, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err = io.WriteString(conn, "ping\n"); err != nil {
		return err
	}
	answer, err := io.ReadAll(conn)
	if err == nil && string(answer) != "pong\n" {
		err = fmt.Errorf("answer %q", answer)
	}
	return err
}

// requests ADDRESS:PORT COUNT makes one after the other.
func requests(args []string) map[string]any {
	var milliseconds []float64
	for range number(args[1]) {
		started := time.Now()
		if err := request(args[0]); err != nil {
			fail(err)
		}
		milliseconds = append(milliseconds, float64(time.Since(started).Microseconds())/1000)
	}
	return map[string]any{"milliseconds": milliseconds}
}

// refusedMax is more than come about when two hundred come while others go.
const refusedMax = 100

// churn ADDRESS:PORT COUNT AT-ONCE counts connections that were refused too: those that others have not left their place to yet
// are made again.
func churn(args []string) map[string]any {
	started := time.Now()
	var refused atomic.Int32
	next := make(chan bool)
	var all sync.WaitGroup
	for range number(args[2]) {
		all.Go(func() {
			for range next {
				err := request(args[0])
				for errors.Is(err, syscall.ECONNREFUSED) && refused.Add(1) <= refusedMax {
					time.Sleep(time.Millisecond)
					err = request(args[0])
				}
				if err != nil {
					fail(err)
				}
			}
		})
	}
	for range number(args[1]) {
		next <- true
	}
	close(next)
	all.Wait()
	return map[string]any{"seconds": time.Since(started).Seconds(), "refused": refused.Load()}
}
