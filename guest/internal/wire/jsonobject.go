package wire

import (
	"errors"
	"strconv"
)

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
