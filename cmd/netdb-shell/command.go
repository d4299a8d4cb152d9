package main

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// command is one dot-command.
type command struct {
	name    string
	args    string
	summary string
	help    string // more than the summary; may be empty
	run     func(*shell, context.Context, *words) error
}

// commands are the dot-commands in the order .help lists them.
func commands() []command {
	return []command{
		{"help", "[COMMAND]", "list the commands, or explain one", "", (*shell).cmdHelp},
		{"logs", "[PREFIX]", "list logs with what they hold", "", (*shell).cmdLogs},
		{"tables", "", "list what can stand behind FROM", "", (*shell).cmdTables},
		{"schema", "[TABLE]", "list columns and their types", "A payload field has no declared type: ANY, each value keeps its own.", (*shell).cmdSchema},
		{"import", "FILE LOG [FLAGS]", "append JSON lines or the rows of CSV to a log", importHelp, (*shell).cmdImport},
		{"append", "[FLAGS] LOG JSON|@FILE", "append one event", appendHelp, (*shell).cmdAppend},
		{"get", "LOG SEQ|latest", "show one event with everything it carries", "", (*shell).cmdGet},
		{"tail", "LOG [-n N] [-f]", "show the last events of a log", tailHelp, (*shell).cmdTail},
		{"mode", "[MODE]", "show or set the output mode", "Modes: " + strings.Join(modes(), ", ") + ".\nbox is the default on a terminal, tsv elsewhere. tsv escapes as PostgreSQL's COPY does, NULL is \\N.\ncsv writes NULL as an empty field and an empty text as \"\".", (*shell).cmdMode},
		{"timer", "[on|off]", "say how long each query took", "", (*shell).cmdTimer},
		{"token", "[TOKEN]", "show the token of the last write, or what a token names", "", (*shell).cmdToken},
		{"wait", "[TOKEN] [-timeout 10s]", "wait until the open folds include a write", "Without TOKEN: the last write of this shell. A timeout of 0 asks without waiting.", (*shell).cmdWait},
		{"snapshot", "FILE [-logs PATTERN]", "write folds and logs at one moment to a file", snapshotHelp, (*shell).cmdSnapshot},
		{"restore", "FILE DIR", "make a store in DIR from a snapshot", "DIR must not exist or be empty. It is whole or not there: a bad file leaves nothing behind.", (*shell).cmdRestore},
		{"checkpoint", "DIR", "make a copy of the store in DIR, for readers", "Any number of netdb-shell -readonly DIR can read it.", (*shell).cmdCheckpoint},
		{"backup", "BACKUPS [-verify]", "add the store as it is now to a directory of backups", "Only what is new is copied. -verify also reads what is there, and replaces what is damaged.\nnetdb-shell backups, restore-backup, verify-backups and prune-backups do the rest.", (*shell).cmdBackup},
		{"check", "", "read everything that is stored and report damage", "", (*shell).cmdCheck},
		{"stats", "", "show the store's counters", "", (*shell).cmdStats},
		{"read", "FILE", "run the statements in a file", "It ends at the first error.", (*shell).cmdRead},
		{"quit", "", "end the shell", "", func(sh *shell, _ context.Context, w *words) error {
			_, err := w.parse(newFlags("quit"), 0, 0)
			sh.quit = err == nil
			return err
		}},
	}
}

// findCommand returns the command of that name or unique beginning.
func findCommand(name string) (command, error) {
	all := commands()
	var matches []string
	var found command
	names := make([]string, 0, len(all))
	for _, c := range all {
		names = append(names, c.name)
		if c.name == name {
			return c, nil
		}
		if name != "" && strings.HasPrefix(c.name, name) {
			matches = append(matches, "."+c.name)
			found = c
		}
	}
	switch len(matches) {
	case 1:
		return found, nil
	case 0:
		hint := didYouMean(name, names)
		if name == "exit" {
			hint = ` (did you mean "quit"?)`
		}
		return command{}, usagef("no command .%s%s; .help lists them", name, hint)
	}
	return command{}, usagef(".%s can be %s", name, strings.Join(matches, ", "))
}

// command runs a dot-command; its name is the first word.
func (sh *shell) command(ctx context.Context, w *words) error {
	name, _, err := w.next()
	if err != nil {
		return err
	}
	c, err := findCommand(strings.TrimPrefix(strings.TrimSuffix(name, ";"), "."))
	if err != nil {
		return err
	}
	return c.run(sh, ctx, w)
}

func newFlags(name string) *flag.FlagSet { return flag.NewFlagSet(name, flag.ContinueOnError) }

func (sh *shell) cmdHelp(_ context.Context, w *words) error {
	given, err := w.parse(newFlags("help"), 0, 1)
	if err != nil {
		return err
	}
	if len(given) == 0 {
		for _, c := range commands() {
			fmt.Fprintf(sh.out, "%-34s %s\n", "."+strings.TrimSpace(c.name+" "+c.args), c.summary)
		}
		fmt.Fprint(sh.out, "\nA unique beginning of a name is enough. Anything else is SQL and ends with a semicolon.\n")
		return sh.out.Flush()
	}
	c, err := findCommand(strings.TrimPrefix(given[0], "."))
	if err != nil {
		return err
	}
	fmt.Fprintf(sh.out, ".%s\n%s\n", strings.TrimSpace(c.name+" "+c.args), c.summary)
	if c.help != "" {
		fmt.Fprintf(sh.out, "\n%s\n", strings.TrimSpace(c.help))
	}
	return sh.out.Flush()
}

func (sh *shell) cmdMode(_ context.Context, w *words) error {
	given, err := w.parse(newFlags("mode"), 0, 1)
	if err != nil {
		return err
	}
	if len(given) == 0 {
		fmt.Fprintln(sh.out, sh.style.mode)
		return sh.out.Flush()
	}
	if !slices.Contains(modes(), given[0]) {
		return usagef("no mode %q%s; modes are %s", given[0], didYouMean(given[0], modes()), strings.Join(modes(), ", "))
	}
	sh.style.mode = given[0]
	return nil
}

func (sh *shell) cmdTimer(_ context.Context, w *words) error {
	given, err := w.parse(newFlags("timer"), 0, 1)
	switch {
	case err != nil:
		return err
	case len(given) == 0:
		state := "off"
		if sh.timer {
			state = "on"
		}
		fmt.Fprintln(sh.out, state)
		return sh.out.Flush()
	case given[0] == "on" || given[0] == "off":
		sh.timer = given[0] == "on"
		return nil
	}
	return usagef(".timer %s: on or off", given[0])
}

func (sh *shell) cmdRead(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("read"), 1, 1)
	if err != nil {
		return err
	}
	return sh.read(ctx, given[0])
}
