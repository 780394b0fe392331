package wire

import (
	"errors"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// The standard encoding/json works through reflection, and the first use of that code costs
// milliseconds where every instruction is translated (emulation). Messages here are small and of
// known shape, so a plain parser into a tree does; a fuzz test compares it with encoding/json.

type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindArray
	kindObject
)

var kindNames = [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}

type value struct {
	kind    kind
	boolean bool
	text    string // a string's content, or a number as written
	items   []value
	members []member
}

type member struct {
	name  string
	value value
}

var errJSON = errors.New("The text is not valid JSON")

type parser struct {
	data []byte
	at   int
}

func parseJSON(data []byte) (value, error) {
	if !utf8.Valid(data) {
		return value{}, errors.New("The text is not UTF-8")
	}
	p := parser{data: data}
	v, err := p.value(0)
	if err != nil {
		return value{}, err
	}
	p.space()
	if p.at != len(p.data) {
		return value{}, errJSON
	}
	return v, nil
}

func (p *parser) space() {
	for p.at < len(p.data) {
		switch p.data[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}

func (p *parser) peek() byte {
	if p.at < len(p.data) {
		return p.data[p.at]
	}
	return 0
}

func (p *parser) word(word string, v value) (value, error) {
	if len(p.data)-p.at < len(word) || string(p.data[p.at:p.at+len(word)]) != word {
		return value{}, errJSON
	}
	p.at += len(word)
	return v, nil
}

func (p *parser) value(depth int) (value, error) {
	if depth > jsonDepthMax {
		return value{}, errors.New("The JSON is nested too deeply")
	}
	p.space()
	switch c := p.peek(); c {
	case '{':
		return p.object(depth)
	case '[':
		return p.array(depth)
	case '"':
		s, err := p.string()
		return value{kind: kindString, text: s}, err
	case 't':
		return p.word("true", value{kind: kindBool, boolean: true})
	case 'f':
		return p.word("false", value{kind: kindBool})
	case 'n':
		return p.word("null", value{})
	default:
		return p.number()
	}
}

func (p *parser) object(depth int) (value, error) {
	v := value{kind: kindObject}
	p.at++
	p.space()
	if p.peek() == '}' {
		p.at++
		return v, nil
	}
	for {
		p.space()
		if p.peek() != '"' {
			return v, errJSON
		}
		name, err := p.string()
		if err != nil {
			return v, err
		}
		p.space()
		if p.peek() != ':' {
			return v, errJSON
		}
		p.at++
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.members = append(v.members, member{name, item})
		p.space()
		switch p.peek() {
		case ',':
			p.at++
		case '}':
			p.at++
			return v, nil
		default:
			return v, errJSON
		}
	}
}

func (p *parser) array(depth int) (value, error) {
	v := value{kind: kindArray}
	p.at++
	p.space()
	if p.peek() == ']' {
		p.at++
		return v, nil
	}
	for {
		item, err := p.value(depth + 1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
		p.space()
		switch p.peek() {
		case ',':
			p.at++
		case ']':
			p.at++
			return v, nil
		default:
			return v, errJSON
		}
	}
}

func (p *parser) digits() bool {
	from := p.at
	for p.peek() >= '0' && p.peek() <= '9' {
		p.at++
	}
	return p.at > from
}

func (p *parser) number() (value, error) {
	from := p.at
	if p.peek() == '-' {
		p.at++
	}
	if p.peek() == '0' {
		p.at++
	} else if !p.digits() {
		return value{}, errJSON
	}
	if p.peek() == '.' {
		p.at++
		if !p.digits() {
			return value{}, errJSON
		}
	}
	if c := p.peek(); c == 'e' || c == 'E' {
		p.at++
		if c := p.peek(); c == '+' || c == '-' {
			p.at++
		}
		if !p.digits() {
			return value{}, errJSON
		}
	}
	return value{kind: kindNumber, text: string(p.data[from:p.at])}, nil
}

func (p *parser) string() (string, error) {
	p.at++
	from := p.at
	for p.at < len(p.data) {
		switch c := p.data[p.at]; {
		case c == '"':
			s := string(p.data[from:p.at])
			p.at++
			return s, nil
		case c == '\\':
			return p.escaped(append([]byte(nil), p.data[from:p.at]...))
		case c < 0x20:
			return "", errJSON
		}
		p.at++
	}
	return "", errJSON
}

func (p *parser) escaped(out []byte) (string, error) {
	for p.at < len(p.data) {
		c := p.data[p.at]
		p.at++
		switch {
		case c == '"':
			return string(out), nil
		case c < 0x20:
			return "", errJSON
		case c != '\\':
			out = append(out, c)
			continue
		}
		e := p.peek()
		p.at++
		switch e {
		case '"', '\\', '/':
			out = append(out, e)
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, ok := p.hex4()
			if !ok {
				return "", errJSON
			}
			if utf16.IsSurrogate(r) {
				r = p.lowSurrogate(r)
			}
			out = utf8.AppendRune(out, r)
		default:
			return "", errJSON
		}
	}
	return "", errJSON
}

// lowSurrogate joins a pair; a lone half becomes U+FFFD, as every JavaScript and Go decoder does.
func (p *parser) lowSurrogate(high rune) rune {
	if p.at+1 < len(p.data) && p.data[p.at] == '\\' && p.data[p.at+1] == 'u' {
		back := p.at
		p.at += 2
		low, ok := p.hex4()
		if r := utf16.DecodeRune(high, low); ok && r != utf8.RuneError {
			return r
		}
		p.at = back
	}
	return utf8.RuneError
}

func (p *parser) hex4() (rune, bool) {
	if len(p.data)-p.at < 4 {
		return 0, false
	}
	var r rune
	for _, c := range p.data[p.at : p.at+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	p.at += 4
	return r, true
}

// object reads members by name and remembers the first thing that is wrong.
type object struct {
	members []member
	err     error
}

func parseObject(data []byte) (*object, error) {
	v, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	if v.kind != kindObject {
		return nil, errors.New("The JSON is " + kindNames[v.kind] + ", want an object")
	}
	return &object{members: v.members}, nil
}

func (o *object) fail(name string, found kind, want string) {
	if o.err == nil {
		o.err = errors.New("Field " + strconv.Quote(name) + " is " + kindNames[found] + ", want " + want)
	}
}

// get returns a member, nil when it is missing or null. The last of equal names counts.
func (o *object) get(name string) *value {
	for i := len(o.members) - 1; i >= 0; i-- {
		if o.members[i].name == name {
			if o.members[i].value.kind == kindNull {
				return nil
			}
			return &o.members[i].value
		}
	}
	return nil
}

func (o *object) str(name string) string {
	v := o.get(name)
	if v == nil {
		return ""
	}
	if v.kind != kindString {
		o.fail(name, v.kind, "a string")
	}
	return v.text
}

func (o *object) boolean(name string) bool {
	v := o.get(name)
	if v == nil {
		return false
	}
	if v.kind != kindBool {
		o.fail(name, v.kind, "a boolean")
	}
	return v.boolean
}

// integer reads a whole number between low and high; missing gives fallback.
func (o *object) integer(name string, low, high, fallback int64) int64 {
	v := o.get(name)
	if v == nil {
		return fallback
	}
	if v.kind != kindNumber {
		o.fail(name, v.kind, "a number")
		return fallback
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < low || n > high {
		if o.err == nil {
			o.err = errors.New("Field " + strconv.Quote(name) + " is " + v.text + ", want a whole number from " +
				strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10))
		}
		return fallback
	}
	return n
}

// decimal reads a whole number written as a string, which JSON numbers cannot hold exactly.
func (o *object) decimal(name string) int64 {
	text := o.str(name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil && o.err == nil {
		o.err = errors.New("Field " + strconv.Quote(name) + " is " + strconv.Quote(text) + ", want a decimal number")
	}
	return n
}

func (o *object) strings(name string) []string {
	v := o.get(name)
	if v == nil {
		return nil
	}
	if v.kind != kindArray {
		o.fail(name, v.kind, "an array of strings")
		return nil
	}
	out := make([]string, len(v.items))
	for i := range v.items {
		if v.items[i].kind != kindString {
			o.fail(name, v.items[i].kind, "strings only")
		}
		out[i] = v.items[i].text
	}
	return out
}

// child reads a member that is an object; nil when missing.
func (o *object) child(name string) *object {
	v := o.get(name)
	if v == nil {
		return nil
	}
	if v.kind != kindObject {
		o.fail(name, v.kind, "an object")
	}
	return &object{members: v.members}
}

func (o *object) children(name string) []*object {
	v := o.get(name)
	if v == nil {
		return nil
	}
	if v.kind != kindArray {
		o.fail(name, v.kind, "an array of objects")
		return nil
	}
	out := make([]*object, len(v.items))
	for i := range v.items {
		if v.items[i].kind != kindObject {
			o.fail(name, v.items[i].kind, "objects only")
		}
		out[i] = &object{members: v.items[i].members}
	}
	return out
}

// adopt takes over the first error of a nested object.
func (o *object) adopt(child *object) {
	if o.err == nil && child != nil {
		o.err = child.err
	}
}
