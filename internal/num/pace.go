package num

// Pace lets work on many bytes be given up: what does it says how far it came, and now and then the Pace asks whether it is
// still wanted. Work that is given up ends soon, with an arbitrary result. A nil Pace never ends anything.
type Pace struct {
	stop func() bool
	left int // bytes until stop is asked again
	over bool
}

// PaceBytes is how many bytes are worked on between two questions.
const PaceBytes = 1 << 18

// NewPace returns a Pace that asks stop.
func NewPace(stop func() bool) *Pace { return &Pace{stop: stop, left: PaceBytes} }

// Step notes that n bytes were worked on, and reports whether the work is to end.
func (p *Pace) Step(n int) bool {
	if p == nil {
		return false
	}
	if p.left -= n; p.left > 0 || p.over {
		return p.over
	}
	p.left = PaceBytes
	p.over = p.stop()
	return p.over
}

// Over reports whether the work was given up.
func (p *Pace) Over() bool { return p != nil && p.over }
