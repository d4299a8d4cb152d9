package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seed69692123/netdb"
	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
)

// The logs of the models the shell opens when a store has them.
const (
	tasksLog    = "cortex/tasks"
	memoriesLog = "cortex/memories"
)

func (sh *shell) cmdLogs(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("logs"), 0, 1)
	if err != nil {
		return err
	}
	prefix := strings.Join(given, "")
	return sh.table([]string{"name", "events", "first", "next", "latest", "created"}, func(add func(...any) error) error {
		for info, err := range sh.db.Logs(prefix) {
			if err != nil {
				return err
			}
			var latest, created any
			if info.Bounds.Len() > 0 {
				l, err := sh.db.Log(info.Name)
				if err != nil {
					return err
				}
				ev, err := l.Latest(ctx)
				if err != nil {
					return err
				}
				latest = ev.Arrival()
			}
			if info.Created != 0 {
				created = time.Unix(0, info.Created)
			}
			if err := add(info.Name, info.Bounds.Len(), uint64(info.Bounds.Floor), uint64(info.Bounds.Next), latest, created); err != nil {
				return err
			}
		}
		return nil
	})
}

// tableName is a table in the catalog: what it is and how SQL names it.
type tableName struct {
	kind, name, sql string
	rows            any // nil when they are not known
}

// tables lists views, folds and logs.
func (sh *shell) tables(ctx context.Context) ([]tableName, error) {
	var out []tableName
	for name, err := range netdb.Select[string](ctx, sh.db, "SELECT name FROM netdb.views") {
		if err != nil {
			return nil, err
		}
		out = append(out, tableName{"view", name, "views." + query.QuoteIdent(name), nil})
	}
	for _, f := range sh.db.Folds() {
		frozen, err := f.Frozen()
		if err != nil {
			return nil, err
		}
		for _, t := range frozen.Tables() {
			out = append(out, tableName{"fold", t.Name(), "folds." + query.QuoteIdent(t.Name()), int64(t.Len())})
		}
	}
	for info, err := range sh.db.Logs("") {
		if err != nil {
			return nil, err
		}
		out = append(out, tableName{"log", info.Name, quotedLog(info.Name), info.Bounds.Len()})
	}
	return out, nil
}

func (sh *shell) cmdTables(ctx context.Context, w *words) error {
	if _, err := w.parse(newFlags("tables"), 0, 0); err != nil {
		return err
	}
	all, err := sh.tables(ctx)
	if err != nil {
		return err
	}
	return sh.table([]string{"kind", "name", "rows", "in_sql"}, func(add func(...any) error) error {
		for _, t := range all {
			if err := add(t.kind, t.name, t.rows, t.sql); err != nil {
				return err
			}
		}
		return nil
	})
}

func (sh *shell) cmdSchema(ctx context.Context, w *words) error {
	given, err := w.parse(newFlags("schema"), 0, 1)
	if err != nil {
		return err
	}
	all, err := sh.tables(ctx)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(all))
	var chosen []tableName
	for _, t := range all {
		names = append(names, t.name)
		// The quotes of a name as SQL has it are gone from a word of a command.
		if len(given) == 0 || t.name == given[0] || t.sql == given[0] || strings.ReplaceAll(t.sql, `"`, "") == given[0] {
			chosen = append(chosen, t)
		}
	}
	if len(given) > 0 && len(chosen) == 0 {
		return fmt.Errorf("no table %q%s", given[0], didYouMean(given[0], names))
	}
	return sh.table([]string{"table", "column", "type"}, func(add func(...any) error) error {
		for _, t := range chosen {
			rows, err := sh.db.Query(ctx, "SELECT * FROM "+t.sql+" LIMIT 0")
			if err != nil {
				return err
			}
			columns := rows.Columns()
			if err := rows.Close(); err != nil {
				return err
			}
			for _, c := range columns {
				if err := add(t.sql, c.Name, c.Type); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func (sh *shell) cmdToken(_ context.Context, w *words) error {
	given, err := w.parse(newFlags("token"), 0, 1)
	if err != nil {
		return err
	}
	t, err := sh.tokenOf(given)
	if err != nil {
		return err
	}
	p := t.Position()
	var log any
	if l, err := sh.db.Store().LogByID(p.Log); err == nil && p.Store == sh.db.Store().ID() {
		log = l.Name()
	}
	return sh.table([]string{"token", "log", "seq", "epoch", "ordinal", "store"}, func(add func(...any) error) error {
		return add(t.String(), log, uint64(p.Seq), uint64(p.Epoch), uint64(p.Ordinal), p.Store.String())
	})
}

// tokenOf parses a token, or takes the last write's.
func (sh *shell) tokenOf(given []string) (fold.WriteToken, error) {
	if len(given) > 0 {
		return fold.ParseToken(given[0])
	}
	if sh.token.IsZero() {
		return fold.WriteToken{}, errors.New("nothing has been written here, so there is no last token")
	}
	return sh.token, nil
}

func (sh *shell) cmdWait(ctx context.Context, w *words) error {
	fs := newFlags("wait")
	timeout := fs.Duration("timeout", 10*time.Second, "")
	given, err := w.parse(fs, 0, 1)
	if err != nil {
		return err
	}
	t, err := sh.tokenOf(given)
	if err != nil {
		return err
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	if err := sh.db.Wait(ctx, t); err != nil {
		return err
	}
	if sh.timer {
		sh.remark("seen after %s", shortDuration(time.Since(began)))
	}
	return nil
}

func (sh *shell) cmdCheck(ctx context.Context, w *words) error {
	if _, err := w.parse(newFlags("check"), 0, 0); err != nil {
		return err
	}
	report, err := sh.db.Check(ctx)
	if err != nil {
		return err
	}
	if len(report.Problems) == 0 {
		sh.remark("everything that is stored can be read and is what was written")
		return nil
	}
	err = sh.table([]string{"problem"}, func(add func(...any) error) error {
		for _, p := range report.Problems {
			if err := add(p); err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, fmt.Errorf("%s found", countOf(int64(len(report.Problems)), "problem")))
}

func (sh *shell) cmdStats(_ context.Context, w *words) error {
	if _, err := w.parse(newFlags("stats"), 0, 0); err != nil {
		return err
	}
	return sh.table([]string{"name", "value"}, func(add func(...any) error) error {
		return eachField("", reflect.ValueOf(sh.db.Metrics()), add)
	})
}

// eachField gives every number, text and truth in a struct of figures to add, under the names of the fields that lead to it.
func eachField(name string, v reflect.Value, add func(...any) error) error {
	if v.IsValid() && v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Duration:
			return add(name, x.String())
		case time.Time:
			return add(name, x)
		case error:
			return add(name, x.Error())
		case fmt.Stringer:
			if v.Kind() != reflect.Pointer || !v.IsNil() {
				return add(name, x.String())
			}
		}
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return eachField(name, v.Elem(), add)
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() {
				continue
			}
			if err := eachField(strings.TrimPrefix(name+"."+snake(f.Name), "."), v.Field(i), add); err != nil {
				return err
			}
		}
		return nil
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := eachField(fmt.Sprintf("%s[%d]", name, i), v.Index(i), add); err != nil {
				return err
			}
		}
		return nil
	case reflect.Map, reflect.Func, reflect.Chan, reflect.Invalid:
		return nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return add(name, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return add(name, v.Uint())
	case reflect.Float32, reflect.Float64:
		return add(name, v.Float())
	case reflect.Bool:
		return add(name, v.Bool())
	}
	return add(name, v.String())
}

// snake writes a Go name as the shell writes names: SyncNanos is sync_nanos.
func snake(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			before := i > 0 && s[i-1] >= 'a' && s[i-1] <= 'z'
			after := i > 0 && i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z' && s[i-1] >= 'A' && s[i-1] <= 'Z'
			if before || after {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteByte(c)
	}
	return b.String()
}
