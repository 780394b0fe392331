package wire

import (
	"strconv"
	"unicode/utf8"
)

// Object builds one JSON object, members in the order they are added.
type Object struct{ out []byte }

// NewObject starts an object.
func NewObject() *Object { return &Object{out: append(make([]byte, 0, 160), '{')} }

func (o *Object) name(name string) {
	if len(o.out) > 1 {
		o.out = append(o.out, ',')
	}
	o.out = appendString(o.out, name)
	o.out = append(o.out, ':')
}

// Str adds a string.
func (o *Object) Str(name, value string) *Object {
	o.name(name)
	o.out = appendString(o.out, value)
	return o
}

// Int adds a whole number.
func (o *Object) Int(name string, value int64) *Object {
	o.name(name)
	o.out = strconv.AppendInt(o.out, value, 10)
	return o
}

// Decimal adds a whole number as a string, for values a double cannot hold.
func (o *Object) Decimal(name string, value int64) *Object {
	o.name(name)
	o.out = append(o.out, '"')
	o.out = strconv.AppendInt(o.out, value, 10)
	o.out = append(o.out, '"')
	return o
}

// Bool adds a boolean.
func (o *Object) Bool(name string, value bool) *Object {
	o.name(name)
	o.out = strconv.AppendBool(o.out, value)
	return o
}

// Raw adds a value that is JSON already.
func (o *Object) Raw(name string, json []byte) *Object {
	o.name(name)
	o.out = append(o.out, json...)
	return o
}

// Bytes ends the object.
func (o *Object) Bytes() []byte { return append(o.out, '}') }

// Line ends the object and adds the newline of a header line.
func (o *Object) Line() []byte { return append(o.out, '}', '\n') }

func appendString(out []byte, s string) []byte {
	const hex = "0123456789abcdef"
	out = append(out, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c < 0x20 || c == 0x7f:
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			out = append(out, c)
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				out = append(out, "\ufffd"...)
			} else {
				out = append(out, s[i:i+size]...)
			}
			i += size
			continue
		}
		i++
	}
	return append(out, '"')
}
