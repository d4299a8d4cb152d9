package planner

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/query"
)

// describeNode returns the name of an operator and what it works on.
func (p *Plan) describeNode(n node) (name, detail string) {
	f := p.formatter()
	list := func(xs []exec.Expr, sep string) string {
		out := make([]string, len(xs))
		for i, x := range xs {
			out[i] = f.Expr(x)
		}
		return strings.Join(out, sep)
	}
	switch n := n.(type) {
	case *scanNode:
		return n.source.Title(), n.detail()
	case *valuesNode:
		return "Values", n.note
	case *filterNode:
		return "Filter", list(n.preds, " AND ")
	case *projectNode:
		return "Project", list(n.exprs, ", ")
	case *aggregateNode:
		var aggs []string
		for _, a := range n.aggs {
			aggs = append(aggs, f.Aggregate(a))
		}
		if len(n.keys) == 0 {
			return "Aggregate", strings.Join(aggs, ", ")
		}
		detail = "key=" + list(n.keys, ", ")
		if len(aggs) > 0 {
			detail += " " + strings.Join(aggs, ", ")
		}
		if n.eager != nil {
			detail += " first by " + list(n.eager.keys, ", ")
		}
		return "HashAggregate", detail
	case *distinctNode:
		return "Distinct", ""
	case *sortNode:
		keys := make([]string, len(n.keys))
		for i, k := range n.keys {
			keys[i] = f.SortKey(k)
		}
		detail = strings.Join(keys, ", ")
		switch {
		case n.ties:
			return "TieOrder", detail
		case n.limit > 0 && exec.TopK(n.limit):
			detail += fmt.Sprintf(" (top-%d heap)", n.limit)
		}
		return "Sort", detail
	case *limitNode:
		if n.count >= 0 {
			detail = strconv.FormatInt(n.count, 10)
		}
		if n.offset > 0 {
			detail = strings.TrimSpace(detail + " offset " + strconv.FormatInt(n.offset, 10))
		}
		return "Limit", detail
	case *withNode:
		return "With", ""
	case *defNode:
		name := [...]string{exec.QueryValue: "value", exec.QueryExists: "exists", exec.QueryAny: "any"}[n.kind]
		return "Query " + itoa(n.number+1), name + " once"
	case *keepNode:
		return "Table " + quoteName(n.name), "once"
	case *keptNode:
		cols := make([]string, len(n.ids))
		for i, id := range n.ids {
			cols[i] = p.cols[id].name
		}
		return "TableScan " + quoteName(n.of.name), "(" + strings.Join(cols, ", ") + ")"
	case *distinctOnNode:
		return "DistinctOn", list(n.keys, ", ")
	case *setNode:
		if name = "Intersect"; n.except {
			name = "Except"
		}
		if n.all {
			detail = "all"
		}
		return name, detail
	case *joinNode:
		return n.describe(f, list)
	case *windowNode:
		return n.describe(f)
	case *endRowNode:
		return n.describe(list)
	case *computeNode:
		return "Compute", list(n.exprs, ", ")
	case *hopNode:
		return "Hop", f.Expr(n.x) + n.grid.Text()
	case *sessionNode:
		return "Session", p.sessionText(n)
	case *unnestNode:
		return "Unnest", n.describe(list)
	case *unionNode:
		return "UnionAll", ""
	}
	return "?", ""
}

// formatter writes expressions, with the tables of columns when the plan reads several.
func (p *Plan) formatter() exec.Formatter {
	scans := 0
	var count func(n node)
	count = func(n node) {
		switch n.(type) {
		case *scanNode, *keptNode:
			scans++
		}
		for _, c := range n.inputs() {
			count(c)
		}
	}
	count(p.root)
	return exec.Formatter{Name: func(c *exec.Col) string {
		if col := p.cols[c.Index]; scans > 1 && col.table != "" {
			return quoteName(col.table) + "." + c.Name
		}
		return c.Name
	}}
}

// detail tells the range and the columns of a scan.
func (n *scanNode) detail() string {
	var parts []string
	name := func(role Role) string {
		for _, c := range n.columns {
			if c.Role == role {
				return c.Name
			}
		}
		return "?"
	}
	if n.rng.Seq.Bounded {
		parts = append(parts, intervalText(name(RoleSeq), n.rng.Seq, func(i int64) string { return strconv.FormatInt(i, 10) }))
	}
	if n.rng.Time.Bounded {
		parts = append(parts, intervalText(name(RoleTime), n.rng.Time, func(i int64) string {
			return "'" + query.Nanos(i).String() + "'"
		}))
	}
	if n.index != "" {
		parts = append(parts, n.index)
	}
	if n.reverse {
		parts = append(parts, "backwards")
	}
	if n.once {
		parts = append(parts, "each value once")
	}
	if n.limit > 0 {
		parts = append(parts, "limit "+strconv.FormatInt(n.limit, 10))
	}
	cols := make([]string, len(n.outs))
	for i, o := range n.outs {
		if o.Column >= 0 {
			cols[i] = n.columns[o.Column].Name
		} else {
			cols[i] = PathText(o.Path)
		}
	}
	return strings.TrimSpace(strings.Join(parts, " ") + " (" + strings.Join(cols, ", ") + ")")
}

func intervalText(name string, v Interval, text func(int64) string) string {
	from, to := v.Bounds()
	switch {
	case to != math.MaxInt64 && from == to-1:
		return name + "=" + text(from)
	case from == math.MinInt64:
		return name + "<" + text(to)
	case to == math.MaxInt64:
		return name + ">=" + text(from)
	}
	return name + ">=" + text(from) + " " + name + "<" + text(to)
}

// line is a line of EXPLAIN before its columns are aligned.
type line struct {
	text string
	id   int
	est  int64
}

// lines walks the tree.
func (p *Plan) lines(n node, prefix, childPrefix string, out []line) []line {
	name, detail := p.describeNode(n)
	text := prefix + name
	if detail != "" {
		text += " " + detail
	}
	out = append(out, line{text, n.common().id, n.common().est})
	ins := n.inputs()
	for i, c := range ins {
		if i == len(ins)-1 {
			out = p.lines(c, childPrefix+"└─ ", childPrefix+"   ", out)
		} else {
			out = p.lines(c, childPrefix+"├─ ", childPrefix+"│  ", out)
		}
	}
	return out
}

// maxText is the width beyond which a line's numbers are not aligned with those of others.
const maxText = 78

// explainText draws the plan, an operator per line.
func (p *Plan) explainText(a *analysis) []string {
	lines := p.allLines()
	width := 0
	for _, l := range lines {
		if n := utf8.RuneCountInString(l.text); n <= maxText {
			width = max(width, n)
		}
	}
	worst, self, total := -1, []int64(nil), int64(0)
	if a != nil {
		self = selfNanos(p.root, a.stats, make([]int64, p.nodes))
		for i, ns := range self {
			total += ns
			if worst < 0 || ns > self[worst] {
				worst = i
			}
		}
	}
	var out []string
	for _, l := range lines {
		text := l.text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(l.text)))
		text += fmt.Sprintf("  est %7s", rowsText(l.est))
		if a != nil {
			s := a.stats[l.id]
			text += fmt.Sprintf(" act %7s  %8s", rowsText(s.Rows), millis(self[l.id]))
			if l.id == worst && total > 0 {
				text += fmt.Sprintf(" ◀ %d%%", (self[l.id]*100+total/2)/total)
			}
			if s.PeakBytes > 0 {
				text += "  mem " + bytesText(s.PeakBytes)
			}
			if s.SpillBytes > 0 {
				text += fmt.Sprintf("  spilled %s in %d passes", bytesText(s.SpillBytes), s.SpillPasses)
			}
			if s.RowsRead > 0 && s.RowsRead != s.Rows {
				text += "  read " + rowsText(s.RowsRead)
			}
			if s.Chunks > 0 {
				text += fmt.Sprintf("  pruned %d/%d chunks", s.Pruned, s.Chunks)
			}
			if s.Keyed > 0 || s.KeyedChunks > 0 {
				text += fmt.Sprintf("  without partner %s, %d chunks", rowsText(s.Keyed), s.KeyedChunks)
			}
			if s.Skipped > 0 {
				text += "  skipped " + rowsText(s.Skipped)
			}
			if s.BytesRead > 0 {
				text += "  " + bytesText(s.BytesRead)
			}
			if s.OtherType > 0 {
				text += "  other type " + rowsText(s.OtherType)
			}
		}
		out = append(out, text)
	}
	if a != nil {
		out = append(out, fmt.Sprintf("plan %s · exec %s · rows %d · mem %s", millis(int64(p.spent)), millis(int64(a.spent)), a.rows, bytesText(a.peak)))
	}
	return out
}

// selfNanos is the time spent in each operator without those below it.
func selfNanos(n node, stats []exec.Stats, out []int64) []int64 {
	id := n.common().id
	out[id] = stats[id].Nanos
	for _, c := range n.inputs() {
		out[id] -= stats[c.common().id].Nanos
		selfNanos(c, stats, out)
	}
	out[id] = max(out[id], 0)
	return out
}

func rowsText(n int64) string {
	switch {
	case n < 10_000:
		return strconv.FormatInt(n, 10)
	case n < 1_000_000:
		return strconv.FormatFloat(float64(n)/1e3, 'f', 1, 64) + "k"
	case n < 1_000_000_000:
		return strconv.FormatFloat(float64(n)/1e6, 'f', 1, 64) + "M"
	}
	return strconv.FormatFloat(float64(n)/1e9, 'f', 1, 64) + "G"
}

func bytesText(n int64) string {
	switch {
	case n < 1<<10:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return strconv.FormatInt(n>>10, 10) + " kB"
	}
	return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MB"
}

func millis(ns int64) string {
	return strconv.FormatFloat(float64(ns)/float64(time.Millisecond), 'f', 2, 64) + " ms"
}

// explained is an operator in EXPLAIN (FORMAT JSON).
type explained struct {
	Operator string      `json:"operator"`
	Detail   string      `json:"detail,omitempty"`
	EstRows  int64       `json:"est_rows"`
	Actual   *actual     `json:"actual,omitempty"`
	Inputs   []explained `json:"inputs,omitempty"`
}

type actual struct {
	Rows      int64   `json:"rows"`
	SelfMs    float64 `json:"self_ms"`
	TotalMs   float64 `json:"total_ms"`
	PeakBytes int64   `json:"peak_bytes,omitempty"`
	RowsRead  int64   `json:"rows_read,omitempty"`
	BytesRead int64   `json:"bytes_read,omitempty"`
	Skipped   int64   `json:"rows_skipped,omitempty"`
	Chunks    int64   `json:"chunks,omitempty"`
	Pruned    int64   `json:"chunks_pruned,omitempty"`
	// Keyed is rows that the keys of joins excluded, KeyedChunks chunks.
	Keyed       int64 `json:"rows_without_partner,omitempty"`
	KeyedChunks int64 `json:"chunks_without_partner,omitempty"`
	OtherType   int64 `json:"other_type,omitempty"`
	// SpillBytes is what was written to temporary files, SpillPasses how many times a row was at most.
	SpillBytes  int64 `json:"spill_bytes,omitempty"`
	SpillPasses int64 `json:"spill_passes,omitempty"`
}

// explainJSON gives the plan as one JSON text.
func (p *Plan) explainJSON(a *analysis) (string, error) {
	type top struct {
		Plan    explained `json:"plan"`
		PlanMs  *float64  `json:"plan_ms,omitempty"`
		ExecMs  *float64  `json:"exec_ms,omitempty"`
		Rows    *int64    `json:"rows,omitempty"`
		Columns []string  `json:"columns"`
	}
	ms := func(d int64) float64 { return math.Round(float64(d)/1e3) / 1e3 }
	var self []int64
	if a != nil {
		self = selfNanos(p.root, a.stats, make([]int64, p.nodes))
	}
	var walk func(n node) explained
	walk = func(n node) explained {
		e := explained{EstRows: n.common().est}
		e.Operator, e.Detail = p.describeNode(n)
		if a != nil {
			id := n.common().id
			s := a.stats[id]
			e.Actual = &actual{s.Rows, ms(self[id]), ms(s.Nanos), s.PeakBytes, s.RowsRead, s.BytesRead, s.Skipped, s.Chunks, s.Pruned, s.Keyed, s.KeyedChunks, s.OtherType, s.SpillBytes, s.SpillPasses}
		}
		for _, c := range n.inputs() {
			e.Inputs = append(e.Inputs, walk(c))
		}
		return e
	}
	t := top{Plan: walk(p.root)}
	if p.insert != nil {
		t.Plan = explained{Operator: "Insert", Detail: p.insert.detail(), EstRows: t.Plan.EstRows, Inputs: []explained{t.Plan}}
	}
	for _, c := range p.columns {
		t.Columns = append(t.Columns, c.Name+" "+c.Type.String())
	}
	if a != nil {
		plan, exec := ms(int64(p.spent)), ms(int64(a.spent))
		t.PlanMs, t.ExecMs, t.Rows = &plan, &exec, &a.rows
	}
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(t)
	return strings.TrimSuffix(text.String(), "\n"), err
}
