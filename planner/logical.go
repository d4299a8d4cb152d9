package planner

import (
	"github.com/seed69692123/netdb/planner/exec"
	"github.com/seed69692123/netdb/planner/vector"
	"github.com/seed69692123/netdb/query"
)

// A node is a relational operator of the logical plan. Columns have numbers that are unique in the plan: an expression names
// its input by number, so that rules can move it without renumbering. Rules change nodes in place while a plan is being made;
// afterwards nobody does.
type node interface {
	// inputs are the node's children.
	inputs() []node
	// setInput replaces a child.
	setInput(i int, n node)
	// outputs are the numbers of the columns the node gives, in order.
	outputs() []int
	// base holds what all nodes have.
	common() *nodeInfo
}

// nodeInfo is what all nodes have.
type nodeInfo struct {
	est int64 // estimated rows; set by estimate
	id  int   // number in the plan, in the order EXPLAIN prints; set at the end
}

func (n *nodeInfo) common() *nodeInfo { return n }

// leaf and unary give nodes their children.
type leaf struct{ nodeInfo }

func (*leaf) inputs() []node     { return nil }
func (*leaf) setInput(int, node) { panic("planner: a leaf has no input") }

type unary struct {
	nodeInfo
	in node
}

func (u *unary) inputs() []node         { return []node{u.in} }
func (u *unary) setInput(_ int, n node) { u.in = n }

type (
	// scanNode reads a source.
	scanNode struct {
		leaf
		source  Source
		alias   string // in FROM
		columns []Column
		outs    []Output
		ids     []int
		rng     Range
		reverse bool
		limit   int64
		hints   []Hint
		matches []Match
		index   string // the one that is used, for EXPLAIN
		exact   bool   // est is exact
		once    bool   // each row is wanted the first time that it comes
	}

	// valuesNode gives constant rows.
	valuesNode struct {
		leaf
		rows [][]exec.Expr
		ids  []int
		note string // what EXPLAIN says of where the rows are from
	}

	// filterNode keeps the rows on which every predicate is true; they are evaluated in order, each on what is left.
	filterNode struct {
		unary
		preds []exec.Expr
		outs  []int // the columns that are needed above; nil for all
	}

	// projectNode computes expressions.
	projectNode struct {
		unary
		exprs []exec.Expr
		ids   []int
	}

	// aggregateNode groups by keys and computes aggregates. Without keys it gives one row.
	aggregateNode struct {
		unary
		keys   []exec.Expr
		keyIDs []int
		aggs   []*exec.Aggregate
		aggIDs []int
		eager  *eagerGroups // nil: rows are grouped as they come
	}

	// distinctNode drops rows equal to an earlier one in all columns.
	distinctNode struct {
		unary
		cols []int
	}

	// sortNode orders rows; with a limit it keeps only the first so many.
	sortNode struct {
		unary
		keys  []exec.SortKey
		limit int64 // 0: all
		ties  bool  // the input comes in descending order already; only runs of equal keys are turned round
	}

	// limitNode passes count rows after the first offset ones; count is -1 for all.
	limitNode struct {
		unary
		count, offset int64
	}

	// joinNode joins two inputs. Equalities are in keys, the rest of the condition in residual, in the order of the text. What it
	// gives depends on its kind: see outputs.
	joinNode struct {
		nodeInfo
		left, right node
		kind        exec.JoinKind
		leftKeys    []exec.Expr
		rightKeys   []exec.Expr
		residual    []exec.Expr
		buildLeft   bool
		asof        *asofCond         // of an ASOF join, which is inner or left
		mark        int               // of mark, single and first joins: the column that says whether there is a partner
		test        exec.Expr         // of a mark join: what is asked of the partners, if it can be NULL
		aggs        []*exec.Aggregate // of a group join
		aggIDs      []int
		at          query.Span // of a query used as a value
		outs        []int      // of an inner, left or full join that is none of ASOF: the columns that are needed above; nil for all
		filter      *keyFilter // nil: the keys are not worth giving to the scan of the probe side
	}

	// asofCond is the inequality of an ASOF join: left op right.
	asofCond struct {
		op          vector.CompareOp
		left, right exec.Expr
	}

	// computeNode gives the columns of its input and more, computed from them by expressions that cannot fail.
	computeNode struct {
		unary
		exprs []exec.Expr
		ids   []int
	}

	// hopNode gives each row once for each window of a grid that x is in, and the windows' bounds.
	hopNode struct {
		unary
		x    exec.Expr
		grid *exec.Grid
		windowColumns
	}

	// sessionNode adds the bounds of the session that a row is in. Its input comes in the order of keys and x.
	sessionNode struct {
		unary
		keys []int
		x    int
		gap  int64
		windowColumns
	}

	// withNode runs a plan beside which other things are computed once, when they are asked for. Its inputs are those, then the
	// plan.
	withNode struct {
		nodeInfo
		ins []node
	}

	// defNode is a query used as a value that does not depend on the row.
	defNode struct {
		unary
		kind   exec.QueryKind
		number int
		col    int // -1 for EXISTS
		at     query.Span
	}

	// keepNode is a WITH table that is computed once and read several times, by keptNodes.
	keepNode struct {
		unary
		name string
		ids  []int // columns that are kept
		need map[int]bool
	}

	// keptNode reads a keepNode: ids are its columns, from those of the keepNode.
	keptNode struct {
		leaf
		of        *keepNode
		alias     string
		ids, from []int
	}

	// setNode is INTERSECT or EXCEPT. maps are as in a unionNode.
	setNode struct {
		nodeInfo
		ins    []node
		maps   [][]int
		ids    []int
		except bool
		all    bool
	}

	// distinctOnNode passes each row whose keys are not those of an earlier one.
	distinctOnNode struct {
		unary
		keys []exec.Expr
	}

	// unionNode gives the rows of its inputs one after the other. maps[i] are the columns of input i in the order of ids.
	unionNode struct {
		nodeInfo
		ins  []node
		maps [][]int
		ids  []int
	}
)

func (n *scanNode) outputs() []int   { return n.ids }
func (n *valuesNode) outputs() []int { return n.ids }
func (n *filterNode) outputs() []int {
	if n.outs != nil {
		return n.outs
	}
	return n.in.outputs()
}

func (n *projectNode) outputs() []int {
	return n.ids
}

func (n *aggregateNode) outputs() []int {
	return append(append([]int(nil), n.keyIDs...), n.aggIDs...)
}
func (n *distinctNode) outputs() []int { return n.cols }
func (n *sortNode) outputs() []int     { return n.in.outputs() }
func (n *limitNode) outputs() []int    { return n.in.outputs() }
func (n *joinNode) outputs() []int {
	if n.outs != nil {
		return n.outs
	}
	out := append([]int(nil), n.left.outputs()...)
	switch n.kind {
	case exec.JoinSemi, exec.JoinAnti:
		return out
	case exec.JoinMark:
		return append(out, n.mark)
	case exec.JoinGroup:
		return append(out, n.aggIDs...)
	case exec.JoinSingle, exec.JoinFirst:
		return append(append(out, n.right.outputs()...), n.mark)
	}
	return append(out, n.right.outputs()...)
}

// pairs are the columns that the condition of a join sees: those of both sides.
func (n *joinNode) pairs() []int {
	return append(append([]int(nil), n.left.outputs()...), n.right.outputs()...)
}

func (n *computeNode) outputs() []int {
	return append(append([]int(nil), n.in.outputs()...), n.ids...)
}
func (n *joinNode) inputs() []node { return []node{n.left, n.right} }
func (n *joinNode) setInput(i int, c node) {
	if i == 0 {
		n.left = c
	} else {
		n.right = c
	}
}
func (n *withNode) outputs() []int          { return n.ins[len(n.ins)-1].outputs() }
func (n *withNode) inputs() []node          { return n.ins }
func (n *withNode) setInput(i int, c node)  { n.ins[i] = c }
func (n *defNode) outputs() []int           { return nil }
func (n *keepNode) outputs() []int          { return n.ids }
func (n *keptNode) outputs() []int          { return n.ids }
func (n *distinctOnNode) outputs() []int    { return n.in.outputs() }
func (n *setNode) outputs() []int           { return n.ids }
func (n *setNode) inputs() []node           { return n.ins }
func (n *setNode) setInput(i int, c node)   { n.ins[i] = c }
func (n *unionNode) outputs() []int         { return n.ids }
func (n *unionNode) inputs() []node         { return n.ins }
func (n *unionNode) setInput(i int, c node) { n.ins[i] = c }

// addColumn makes a static column an output of the scan and returns its number.
func (n *scanNode) addColumn(b *binder, i int) int {
	for k, o := range n.outs {
		if o.Column == i {
			return n.ids[k]
		}
	}
	n.outs = append(n.outs, Output{Column: i})
	return n.added(b, b.newColumn(n.columns[i].Name, n.columns[i].Type))
}

// addField makes a dynamic field an output of the scan and returns its number.
func (n *scanNode) addField(b *binder, path []string) int {
	for k, o := range n.outs {
		if o.Column < 0 && samePath(o.Path, path) {
			return n.ids[k]
		}
	}
	n.outs = append(n.outs, Output{Column: -1, Path: path})
	return n.added(b, b.newColumn(PathText(path), vector.Any))
}

func (n *scanNode) added(b *binder, id int) int {
	b.cols[id].table = n.alias
	n.ids = append(n.ids, id)
	return id
}

// role returns the role of one of the scan's outputs by column number.
func (n *scanNode) role(id int) Role {
	for k, out := range n.ids {
		if out == id && n.outs[k].Column >= 0 {
			return n.columns[n.outs[k].Column].Role
		}
	}
	return RoleNone
}

func samePath(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
