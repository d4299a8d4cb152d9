package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// invocation is what the command line asks for.
type invocation struct {
	verb       string // "", "demo", "help", "version" or one of operators
	dir        string // empty: in memory, or for demo a temporary directory
	mode       string // empty: by what the output is
	readonly   bool
	statements []string // to run in order, each a piece of a script
	words      []string // a dot-command whose words the command line has split
}

// usageError is a fault of whoever called: the exit code is 2.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

const usageText = `usage: netdb-shell [flags] [DIR] [SQL or dot-command]
       netdb-shell [flags] demo [DIR]
       netdb-shell [flags] check DIR
       netdb-shell [flags] repair [-n] DIR
       netdb-shell [flags] checkpoint DIR TARGET
       netdb-shell [flags] backup [-verify] DIR BACKUPS
       netdb-shell [flags] backups BACKUPS
       netdb-shell [flags] verify-backups BACKUPS [POINT]
       netdb-shell [flags] restore-backup BACKUPS [POINT] DIR
       netdb-shell [flags] prune-backups -keep N BACKUPS
       netdb-shell [flags] dump [-payloads] DIR|FILE

DIR is a store; one that does not exist is made, without DIR the store is in memory.
With a statement the shell runs it and ends. Without one it reads a script from its
standard input, or shows a prompt on a terminal. A first word that is a verb (demo,
help, version and those above) is the verb: write ./demo for a directory of that name.
check, checkpoint and backup change nothing in DIR, which no program may have open to
write: a program that has makes its own, and so does its shell by .checkpoint and .backup.
repair -n says what a repair would do. BACKUPS is a directory of backups.

  -c SQL         run SQL or a dot-command; may be repeated
  -mode MODE     box, csv, json, jsonl, tsv, markdown or line
                 (box on a terminal, tsv elsewhere)
  -csv, -json    short for -mode csv, -mode json
  -readonly      change nothing in DIR, which has to exist
  -version       say which version this is
  -help          this text

A script ends at its first error. Exit codes: 0, 1 after an error in SQL or data,
2 when called wrongly. Dot-commands: netdb-shell -c .help
`

// parseArgs reads the command line. Flags may stand before and after DIR.
func parseArgs(args []string) (invocation, error) {
	var inv invocation
	fs := flag.NewFlagSet("netdb-shell", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Func("c", "", func(s string) error { inv.statements = append(inv.statements, s); return nil })
	setMode := func(mode string) error {
		if !slices.Contains(modes(), mode) {
			return fmt.Errorf("no mode %q%s; modes are %s", mode, didYouMean(mode, modes()), strings.Join(modes(), ", "))
		}
		if inv.mode != "" && inv.mode != mode {
			return fmt.Errorf("both %s and %s asked for", inv.mode, mode)
		}
		inv.mode = mode
		return nil
	}
	fs.Func("mode", "", setMode)
	for _, short := range []string{"csv", "json"} {
		fs.BoolFunc(short, "", func(string) error { return setMode(short) })
	}
	fs.BoolVar(&inv.readonly, "readonly", false, "")
	version := fs.Bool("version", false, "")

	positional := 0
	var words []string // a verb, DIR, a dot-command and its own arguments
	for rest := args; len(rest) > 0; {
		// A second word with a space in it is a statement, also when it begins with a comment. What follows a dot-command
		// of one word are its arguments.
		statement := len(words) == 1 && strings.ContainsAny(rest[0], " \n")
		if len(words) < 2 && !statement {
			switch err := fs.Parse(rest); {
			case errors.Is(err, flag.ErrHelp):
				inv.verb = "help"
				return inv, nil
			case err != nil:
				return inv, usagef("%v", err)
			}
			if rest = fs.Args(); len(rest) == 0 {
				break
			}
		}
		if _, ok := operators()[rest[0]]; ok && len(words) == 0 {
			if len(inv.statements) > 0 || inv.readonly {
				return inv, usagef("%s takes neither -c nor -readonly", rest[0])
			}
			inv.verb, inv.words = rest[0], rest[1:]
			return inv, nil
		}
		switch word := rest[0]; {
		case statement || len(words) == 1 && !strings.HasPrefix(word, "."):
			inv.statements = append(inv.statements, word)
			if positional++; positional > 1 {
				return inv, usagef("%q after the statement; quote a statement as one word", word)
			}
		default:
			words = append(words, word)
		}
		rest = rest[1:]
	}
	if *version {
		inv.verb = "version"
		return inv, nil
	}
	if len(words) > 0 && slices.Contains([]string{"demo", "help", "version"}, words[0]) {
		inv.verb, words = words[0], words[1:]
		if inv.verb == "demo" && len(words) == 0 && positional == 1 { // the one word after it is its DIR
			words, inv.statements = inv.statements, nil
		}
		if len(words) > 1 || len(words) == 1 && inv.verb != "demo" || len(inv.statements) > 0 {
			return inv, usagef("%s does not take a statement", inv.verb)
		}
	}
	if len(words) > 0 {
		inv.dir = words[0]
		if err := checkDir(inv.dir); err != nil {
			return inv, err
		}
		if len(words) > 1 {
			inv.words = words[1:]
		}
	}
	if inv.readonly && inv.dir == "" {
		return inv, usagef("-readonly needs a DIR")
	}
	return inv, nil
}

// checkDir refuses a statement in the place of a directory, before a directory of that name is made.
func checkDir(dir string) error {
	if dir == "" {
		return usagef("DIR is empty")
	}
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	first, _, more := strings.Cut(dir, " ")
	known := []string{"SELECT", "FROM", "WITH", "VALUES", "EXPLAIN", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "DESCRIBE", "SUMMARIZE", "SHOW"}
	if more && slices.Contains(known, strings.ToUpper(first)) || strings.HasPrefix(dir, ".") && !strings.ContainsAny(dir, `/\`) && dir != "." && dir != ".." {
		return usagef("%q is a statement: write DIR before it, or use -c", dir)
	}
	return nil
}
