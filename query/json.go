package query

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// ParseJSON checks a JSON text and returns it as a JSON value.
func ParseJSON(s string) (Value, error) {
	if !utf8.ValidString(s) || !json.Valid([]byte(s)) {
		return Value{}, fmt.Errorf("%q is no JSON", clip(s))
	}
	return JSON(s), nil
}
