package netdb

import "strings"

const prefix = "netdb: "

// opError says what was attempted, and names the package once however many of its own errors lie below.
type opError struct {
	what string
	err  error
}

// doing returns err as the failure of what, and nil for nil.
func doing(what string, err error) error {
	if err == nil {
		return nil
	}
	return &opError{what, err}
}

func (e *opError) Error() string {
	return prefix + e.what + ": " + strings.TrimPrefix(e.err.Error(), prefix)
}

func (e *opError) Unwrap() error { return e.err }
