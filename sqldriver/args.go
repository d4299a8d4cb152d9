package sqldriver

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/query"
)

// after is an argument that is no parameter's value.
type after struct{ token fold.WriteToken }

// After returns an argument for any statement that makes it wait until the folds of the database include a write. It stands for no
// parameter, wherever among the arguments it is.
func After(t fold.WriteToken) any { return after{t} }

// CheckNamedValue implements driver.NamedValueChecker: it makes a value that netdb takes.
func (c *Conn) CheckNamedValue(v *driver.NamedValue) (err error) {
	v.Value, err = checked(v.Value)
	return err
}

func checked(v any) (any, error) {
	for range 8 { // a Valuer may give another one
		valuer, ok := v.(driver.Valuer)
		if !ok {
			break
		}
		if r := reflect.ValueOf(v); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, nil // as database/sql does: the method may not want a nil
		}
		var err error
		if v, err = valuer.Value(); err != nil {
			return nil, err
		}
	}
	switch x := v.(type) {
	case *big.Int:
		if x == nil {
			return nil, nil
		}
		return integer(x.String())
	case big.Int:
		return integer(x.String())
	case json.Number:
		if n, ok := query.ParseInteger(x.String()); ok {
			return n, nil
		}
		f, err := x.Float64()
		return f, err
	case fold.WriteToken:
		return x.String(), nil
	}
	return v, nil
}

func integer(digits string) (any, error) {
	v, ok := query.ParseInteger(digits)
	if !ok {
		return nil, fmt.Errorf("sqldriver: an integer of %d digits, at most %d", len(digits), query.MaxDigits)
	}
	return v, nil
}

// arguments turns those of database/sql into those of a statement.
func arguments(given []driver.NamedValue) (args []any, wait fold.WriteToken) {
	for _, a := range given {
		switch v := a.Value.(type) {
		case after:
			wait = v.token
		default:
			if a.Name != "" {
				args = append(args, sql.Named(a.Name, v))
			} else {
				args = append(args, v)
			}
		}
	}
	return args, wait
}
