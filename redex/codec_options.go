package redex

import (
	"math"
	"time"
)

// bounds reads the integers that b is made of, none of them negative and not all of them 0.
func bounds(b []byte, to ...*int64) error {
	zero := true
	for _, v := range to {
		n, rest, err := uvarint(b)
		if err != nil || n > math.MaxInt64 {
			return errVarint
		}
		*v, b, zero = int64(n), rest, zero && n == 0
	}
	if zero || len(b) > 0 {
		return errVarint
	}
	return nil
}

// eachPrefixed calls f for each of the length-prefixed pieces that b is made of.
func eachPrefixed(b []byte, f func([]byte) error) error {
	for len(b) > 0 {
		n, rest, err := uvarint(b)
		if err != nil {
			return err
		}
		if n > uint64(len(rest)) {
			return errShort
		}
		if err := f(rest[:n]); err != nil {
			return err
		}
		b = rest[n:]
	}
	return nil
}

func decodeOptions(b []byte) (LogOptions, error) {
	var o LogOptions
	err := eachField(b, func(tag uint8, v []byte) (bool, error) {
		switch tag {
		case tagCheckJSON:
			if len(v) != 1 || v[0] != 1 {
				return true, errVarint
			}
			o.CheckJSON = true
		case tagFields:
			return true, eachPrefixed(v, func(names []byte) error {
				var path []string
				err := eachPrefixed(names, func(name []byte) error {
					path = append(path, string(name))
					return nil
				})
				o.Fields = append(o.Fields, path)
				return err
			})
		case tagRetention:
			return true, bounds(v, &o.Retention.Events, &o.Retention.Bytes, (*int64)(&o.Retention.Age))
		case tagQuota:
			return true, bounds(v, &o.Quota.Events, &o.Quota.Bytes)
		case tagCompact:
			n, err := wholeUvarint(v)
			if err != nil || n > math.MaxInt64 {
				return true, errVarint
			}
			o.Compaction = Compaction{ByKey: true, TombstonesFor: time.Duration(n)}
		default:
			return false, nil
		}
		return true, nil
	})
	if err == nil {
		err = o.validate()
	}
	return o, err
}
