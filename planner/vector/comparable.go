package vector

// Comparable reports whether values of two classes compare with each other: NULL compares with nothing, all numbers do, and
// dates do with times.
func (c Class) Comparable(d Class) bool {
	switch {
	case c == ClassNull || d == ClassNull:
		return false
	case c == ClassDate && d == ClassTime, c == ClassTime && d == ClassDate:
		return true
	}
	return c.rank() == d.rank()
}
