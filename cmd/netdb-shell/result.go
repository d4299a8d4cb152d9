package main

import "errors"

// result is a table on its way out. Its head is written with its first row, or at its end when it has none: an error before
// any row leaves nothing that looks like an answer.
type result struct {
	out     rowWriter
	columns []string
	begun   bool
}

// result returns the result of those columns in the shell's mode, as wide as the terminal is now.
func (sh *shell) result(columns ...string) *result {
	if sh.style.terminal {
		sh.style.width = terminalWidth(sh.raw.w)
	}
	return &result{out: newRowWriter(sh.out, sh.style), columns: columns}
}

func (r *result) begin() error {
	if r.begun {
		return nil
	}
	r.begun = true
	return r.out.begin(r.columns)
}

func (r *result) row(row *row) error {
	if err := r.begin(); err != nil {
		return err
	}
	return r.out.row(row)
}

// flush writes everything that was given so far.
func (r *result) flush() error { return errors.Join(r.begin(), r.out.flush()) }

// end ends the result and returns what went wrong in it, cause included. With a cause the rows are not all.
func (r *result) end(cause error) error {
	if cause != nil && !r.begun {
		return cause
	}
	return errors.Join(cause, r.begin(), r.out.end(cause == nil))
}
