package vector

// Set is the values of an IN list, prepared for many lookups. It is immutable and safe for concurrent use.
type Set struct {
	ints    map[int64]struct{}
	texts   map[string]struct{}
	others  map[string]struct{} // keys of what is neither
	ranks   uint32              // a bit for each rank of class that occurs
	hasNull bool
}

// NewSet makes a set of the values of some vectors.
func NewSet(values ...*Vector) *Set {
	s := &Set{ints: map[int64]struct{}{}, texts: map[string]struct{}{}, others: map[string]struct{}{}}
	for _, v := range values {
		for i := range v.Len {
			switch c := v.Class(i); c {
			case ClassNull:
				s.hasNull = true
				continue
			case ClassInt:
				s.ints[v.Int(i)] = struct{}{}
				fallthrough // a DOUBLE is looked up by its key
			default:
				s.ranks |= 1 << c.rank()
				if c != ClassText {
					s.others[string(AppendKey(nil, v, i))] = struct{}{}
				} else {
					s.texts[string(v.Bytes(i))] = struct{}{}
				}
			}
		}
	}
	return s
}

// Len returns the number of different values, NULL apart.
func (s *Set) Len() int { return len(s.texts) + len(s.others) }

// In writes a IN (set) to out, as Bool, inverted when not is set: true if a equals a value of the set; else NULL if a is NULL,
// the set has a NULL or a value of another type than a; else false. An empty set gives false, also for NULL.
func (s *State) In(a *Vector, set *Set, not bool, out *Vector, sel Sel, n int) {
	out.Resize(Bool, n)
	empty := set.ranks == 0 && !set.hasNull
	if t := a.Typed(&s.a); t.Type == Text && t.Dict != nil && !t.Const && !set.hasNull && set.ranks == 1<<ClassText.rank() {
		orNulls(out, t, nil)
		_ = s.testCodes(set, t, not, out, sel, n, func(text []byte) (bool, error) {
			_, found := set.texts[string(text)]
			return found, nil
		})
		return
	}
	sel.All(n, func(i int) {
		c := a.Class(i)
		if empty {
			out.Bools[i] = not
			return
		}
		var found bool
		switch c {
		case ClassNull:
			out.SetNull(i)
			return
		case ClassInt:
			_, found = set.ints[a.Int(i)]
			if !found && set.ranks>>c.rank()&1 != 0 && len(set.others) > len(set.ints) {
				found = s.inOthers(a, i, set)
			}
		case ClassText:
			_, found = set.texts[string(a.Bytes(i))]
		default:
			found = s.inOthers(a, i, set)
		}
		if found {
			out.Bools[i] = !not
			return
		}
		if mixed := set.ranks &^ (1 << c.rank()); mixed != 0 || set.hasNull {
			if set.ranks>>c.rank()&1 == 0 {
				s.OtherType++
			}
			out.SetNull(i)
			return
		}
		out.Bools[i] = not
	})
}

func (s *State) inOthers(a *Vector, i int, set *Set) bool {
	s.scratch = s.scratchKey(s.scratch, a, i)
	_, ok := set.others[string(s.scratch)]
	return ok
}
