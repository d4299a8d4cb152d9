package main

import (
	"bufio"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"
)

// How much of a result box looks at before it chooses widths.
const (
	boxSampleRows  = 512
	boxSampleBytes = 256 << 10
	boxLeastWidth  = 6 // a column is not cut shorter than this
)

// boxWriter draws a table. Its first rows are held back to choose widths; on a terminal, later values that are wider are cut
// with an ellipsis, elsewhere they push their line out. When even narrow columns do not fit the terminal, values go on a line
// each.
type boxWriter struct {
	w        *bufio.Writer
	terminal bool
	width    int

	columns []string
	held    []row
	heldLen int
	widths  []int
	right   []bool
	line    *lineWriter // set when the table does not fit
	started bool
	cut     bool // a value was cut
	scratch []byte
}

func (b *boxWriter) begin(columns []string) error {
	for _, name := range columns {
		b.columns = append(b.columns, string(appendVisible(nil, []byte(name))))
	}
	return nil
}

func (b *boxWriter) row(r *row) error {
	if b.started {
		return b.write(r)
	}
	b.held = append(b.held, r.clone())
	b.heldLen += len(r.buf)
	if len(b.held) >= boxSampleRows || b.heldLen >= boxSampleBytes {
		return b.start()
	}
	return nil
}

func (b *boxWriter) flush() error {
	if err := b.start(); err != nil {
		return err
	}
	return b.w.Flush()
}

func (b *boxWriter) end(bool) error {
	if err := b.start(); err != nil {
		return err
	}
	if b.line == nil {
		b.rule("└", "┴", "┘")
	}
	return b.w.Flush()
}

// start chooses widths, and writes the head and what was held back.
func (b *boxWriter) start() error {
	if b.started {
		return nil
	}
	b.started = true
	b.widths = make([]int, len(b.columns))
	b.right = make([]bool, len(b.columns))
	for i, name := range b.columns {
		b.widths[i] = textWidth([]byte(name))
		numbers := 0
		for j := range b.held {
			text, k := b.text(&b.held[j], i)
			b.widths[i] = max(b.widths[i], textWidth(text))
			switch k {
			case kindNumber:
				numbers++
			case kindNull:
			default:
				numbers = -len(b.held)
			}
		}
		b.right[i] = numbers > 0
	}
	if b.terminal && b.width > 0 && !fit(b.widths, b.width-3*len(b.widths)-1) {
		b.line = &lineWriter{w: b.w}
		if err := b.line.begin(b.columns); err != nil {
			return err
		}
	} else {
		b.rule("┌", "┬", "┐")
		for i, name := range b.columns {
			b.cell(i, []byte(name), false)
		}
		b.w.WriteString("│\n")
		b.rule("├", "┼", "┤")
	}
	held := b.held
	b.held = nil
	for i := range held {
		if err := b.write(&held[i]); err != nil {
			return err
		}
	}
	return nil
}

// fit cuts the widest columns until their sum is at most room, and reports whether that was possible.
func fit(widths []int, room int) bool {
	sum := 0
	for _, w := range widths {
		sum += w
	}
	for sum > room {
		widest := slices.Max(widths)
		if widest <= boxLeastWidth {
			return false
		}
		// Bring all the widest down to the next narrower width, or as far as needed.
		next, count := boxLeastWidth, 0
		for _, w := range widths {
			if w == widest {
				count++
			} else {
				next = max(next, w)
			}
		}
		to := max(next, widest-(sum-room+count-1)/count)
		for i, w := range widths {
			if w == widest {
				widths[i] = to
				sum -= widest - to
			}
		}
	}
	return true
}

// text returns the visible text of cell i, valid until the next call.
func (b *boxWriter) text(r *row, i int) ([]byte, kind) {
	k := r.cells[i].kind
	if k == kindNull {
		return []byte("NULL"), k
	}
	b.scratch = appendVisible(b.scratch[:0], r.at(i))
	return b.scratch, k
}

func (b *boxWriter) write(r *row) error {
	if b.line != nil {
		return b.line.row(r)
	}
	for i := range r.cells {
		text, k := b.text(r, i)
		b.cell(i, text, b.right[i] && k != kindText)
	}
	_, err := b.w.WriteString("│\n")
	return err
}

func (b *boxWriter) cell(i int, text []byte, right bool) {
	w := textWidth(text)
	if w > b.widths[i] && b.terminal {
		text, w = cutText(text, b.widths[i])
		b.cut = true
	}
	pad := strings.Repeat(" ", max(0, b.widths[i]-w))
	b.w.WriteString("│ ")
	if right {
		b.w.WriteString(pad)
	}
	b.w.Write(text)
	if !right {
		b.w.WriteString(pad)
	}
	b.w.WriteByte(' ')
}

func (b *boxWriter) rule(left, cross, right string) {
	for i, w := range b.widths {
		if i == 0 {
			b.w.WriteString(left)
		} else {
			b.w.WriteString(cross)
		}
		b.w.WriteString(strings.Repeat("─", w+2))
	}
	if len(b.widths) == 0 {
		b.w.WriteString(left)
	}
	b.w.WriteString(right)
	b.w.WriteByte('\n')
}

// textWidth returns how many columns a terminal gives text.
func textWidth(text []byte) int {
	if ascii(text) {
		return len(text)
	}
	return uniseg.StringWidth(string(text))
}

// cutText returns a beginning of text and an ellipsis, at most width columns wide, and how wide it is.
func cutText(text []byte, width int) ([]byte, int) {
	state, used, end := -1, 0, 0
	for rest := text; len(rest) > 0; {
		var cluster []byte
		var w int
		cluster, rest, w, state = uniseg.FirstGraphemeCluster(rest, state)
		if used+w > width-1 {
			break
		}
		used += w
		end += len(cluster)
	}
	return append(append([]byte(nil), text[:end]...), "…"...), used + 1
}

func itoa(n int) string { return strconv.Itoa(n) }
