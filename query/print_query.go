package query

// queryNode prints statements and the parts of a query.
func (p *printer) queryNode(n Node) {
	switch n := n.(type) {
	case *Query:
		p.wholeQuery(n)
	case *With:
		p.put("WITH ")
		if n.Recursive {
			p.put("RECURSIVE ")
		}
		nodeList(p, n.Tables)
	case *CTE:
		p.ident(n.Name)
		if n.Columns != nil {
			p.put(" (")
			p.identList(n.Columns)
			p.put(")")
		}
		p.put(" AS ")
		p.put([materializeEnd]string{"", "MATERIALIZED ", "NOT MATERIALIZED "}[n.Materialize])
		p.query(n.Query)
	case *Block:
		p.block(n)
	case *Item:
		p.expr(n.Expr, levelLowest)
		if n.Alias.Is() {
			p.put(" AS ")
			p.label(n.Alias)
		}
	case *NamedWindow:
		p.ident(n.Name)
		p.put(" AS ")
		p.node(n.Window)
	case *Window:
		p.window(n)
	case *Frame:
		p.frame(n)
	case *SetOp:
		p.setOperand(n.L, n.Kind, false)
		p.put([setEnd]string{" UNION ", " INTERSECT ", " EXCEPT "}[n.Kind])
		if n.All {
			p.put("ALL ")
		}
		p.setOperand(n.R, n.Kind, true)
	case *ValuesList:
		p.put("VALUES ")
		for i, row := range n.Rows {
			if i > 0 {
				p.put(", ")
			}
			p.put("(")
			exprList(p, row.Items)
			p.put(")")
		}
	case *Order:
		p.expr(n.Expr, levelLowest)
		if n.Desc {
			p.put(" DESC")
		}
		p.put([nullsEnd]string{"", " NULLS FIRST", " NULLS LAST"}[n.Nulls])
	case *AsOf:
		p.put([asOfEnd]string{"AS OF TIMESTAMP ", "AS OF SEQ "}[n.Kind])
		p.expr(n.Expr, levelOther)
	case *Alias:
		p.put(" AS ")
		p.ident(n.Name)
		if n.Columns != nil {
			p.put(" (")
			p.identList(n.Columns)
			p.put(")")
		}
	case *TableName:
		p.path(n.Parts)
		p.alias(n.Alias)
	case *TableFunc:
		p.lateral(n.Lateral)
		p.node(n.Call)
		p.alias(n.Alias)
	case *TableQuery:
		p.lateral(n.Lateral)
		p.query(n.Query)
		p.alias(n.Alias)
	case *Join:
		p.join(n)
	default:
		p.statement(n)
	}
}

func (p *printer) statement(n Node) {
	switch n := n.(type) {
	case *Explain:
		p.put("EXPLAIN ")
		if n.Analyze {
			p.put("ANALYZE ")
		}
		if n.Format == ExplainJSON {
			p.put("(FORMAT JSON) ")
		}
		p.node(n.Stmt)
	case *Insert:
		p.put("INSERT INTO ")
		p.node(n.Table)
		if n.Columns != nil {
			p.put(" (")
			nodeList(p, n.Columns)
			p.put(")")
		}
		p.put(" ")
		p.node(n.Source)
		if n.Returning != nil {
			p.put(" RETURNING ")
			nodeList(p, n.Returning)
		}
	case *Subscribe:
		p.put("SUBSCRIBE ")
		switch n.From {
		case SubscribeStart:
			p.put("FROM START ")
		case SubscribeSeq:
			p.put("FROM SEQ ")
			p.expr(n.Seq, levelOther)
			p.put(" ")
		case SubscribeSnapshot:
			p.put("WITH SNAPSHOT ")
		}
		p.node(n.Query)
	case *Describe:
		p.put("DESCRIBE ")
		if n.Query != nil {
			p.node(n.Query)
		} else {
			p.node(n.Table)
		}
	case *Summarize:
		p.put("SUMMARIZE ")
		if n.Query != nil {
			p.node(n.Query)
		} else {
			p.node(n.Table)
		}
	case *CreateView, *CreateIndex, *Drop, *ShowCreate:
		p.definition(n)
	case *Show:
		p.put("SHOW ")
		p.ident(n.What)
	case *Set:
		p.put("SET ")
		p.ident(n.Name)
		p.put(" = ")
		p.expr(n.Value, levelLowest)
	}
}

func (p *printer) wholeQuery(n *Query) {
	if n.With != nil {
		p.node(n.With)
		p.put(" ")
	}
	if q, ok := n.Body.(*Query); ok {
		p.query(q)
	} else {
		p.node(n.Body)
	}
	if n.OrderBy != nil {
		p.put(" ORDER BY ")
		nodeList(p, n.OrderBy)
	}
	if n.Limit != nil {
		p.put(" LIMIT ")
		p.expr(n.Limit, levelLowest)
	}
	if n.Offset != nil {
		p.put(" OFFSET ")
		p.expr(n.Offset, levelLowest)
	}
	if n.AsOf != nil {
		p.put(" ")
		p.node(n.AsOf)
	}
}

// setOperand prints one side of a set operation. INTERSECT binds tighter than
// the other two, which group to the left.
func (p *printer) setOperand(b Body, outer SetKind, right bool) {
	parens := false
	switch b := b.(type) {
	case *Query:
		parens = true
	case *SetOp:
		parens = right || outer == Intersect && b.Kind != Intersect
		if right && outer != Intersect && b.Kind == Intersect {
			parens = false
		}
	}
	if parens {
		p.put("(")
		p.node(b)
		p.put(")")
		return
	}
	p.node(b)
}

func (p *printer) block(n *Block) {
	p.put("SELECT ")
	if n.Distinct {
		p.put("DISTINCT ")
		if n.DistinctOn != nil {
			p.put("ON (")
			exprList(p, n.DistinctOn)
			p.put(") ")
		}
	}
	nodeList(p, n.Items)
	if n.From != nil {
		p.put(" FROM ")
		nodeList(p, n.From)
	}
	if n.Where != nil {
		p.put(" WHERE ")
		p.expr(n.Where, levelLowest)
	}
	if n.GroupByAll {
		p.put(" GROUP BY ALL")
	} else if n.GroupBy != nil {
		p.put(" GROUP BY ")
		exprList(p, n.GroupBy)
	}
	if n.Having != nil {
		p.put(" HAVING ")
		p.expr(n.Having, levelLowest)
	}
	if n.Windows != nil {
		p.put(" WINDOW ")
		nodeList(p, n.Windows)
	}
	if n.Qualify != nil {
		p.put(" QUALIFY ")
		p.expr(n.Qualify, levelLowest)
	}
}

func (p *printer) window(n *Window) {
	if n.Bare {
		p.ident(n.Name)
		return
	}
	p.put("(")
	sep := ""
	if n.Name.Is() {
		p.ident(n.Name)
		sep = " "
	}
	if n.PartitionBy != nil {
		p.put(sep)
		p.put("PARTITION BY ")
		exprList(p, n.PartitionBy)
		sep = " "
	}
	if n.OrderBy != nil {
		p.put(sep)
		p.put("ORDER BY ")
		nodeList(p, n.OrderBy)
		sep = " "
	}
	if n.Frame != nil {
		p.put(sep)
		p.node(n.Frame)
	}
	p.put(")")
}

func (p *printer) frame(n *Frame) {
	p.put([frameUnitEnd]string{"ROWS", "RANGE", "GROUPS"}[n.Unit])
	p.put(" BETWEEN ")
	p.bound(n.Start, n.StartOffset)
	p.put(" AND ")
	p.bound(n.End, n.EndOffset)
	p.put([excludeEnd]string{"", " EXCLUDE CURRENT ROW", " EXCLUDE GROUP", " EXCLUDE TIES"}[n.Exclude])
}

func (p *printer) bound(kind BoundKind, offset Expr) {
	if kind == Preceding || kind == Following {
		p.expr(offset, levelOther)
		p.put(" ")
	}
	p.put([boundEnd]string{"UNBOUNDED PRECEDING", "PRECEDING", "CURRENT ROW", "FOLLOWING", "UNBOUNDED FOLLOWING"}[kind])
}

func (p *printer) alias(a *Alias) {
	if a != nil {
		p.node(a)
	}
}

func (p *printer) lateral(b bool) {
	if b {
		p.put("LATERAL ")
	}
}

func (p *printer) join(n *Join) {
	p.node(n.L)
	p.put(" ")
	if n.Natural {
		p.put("NATURAL ")
	}
	if n.Asof {
		p.put("ASOF ")
	}
	p.put([joinEnd]string{"", "LEFT ", "RIGHT ", "FULL ", "CROSS ", "SEMI ", "ANTI "}[n.Kind])
	p.put("JOIN ")
	if _, nested := n.R.(*Join); nested {
		p.put("(")
		p.node(n.R)
		p.put(")")
	} else {
		p.node(n.R)
	}
	switch {
	case n.On != nil:
		p.put(" ON ")
		p.expr(n.On, levelLowest)
	case n.Using != nil:
		p.put(" USING (")
		p.identList(n.Using)
		p.put(")")
	}
}
