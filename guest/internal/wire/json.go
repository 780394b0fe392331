package wire

import (
	"errors"
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
