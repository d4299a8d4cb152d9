package query

// complete reports whether a node whose parts are all there is one that the
// grammar can make: its lists are long enough, of two forms it has one, its
// operator is of its kind.
func complete(n Node) bool {
	switch n := n.(type) {
	case *Param:
		if n.Name != "" {
			return n.Index == 0 && IsPlain(n.Name)
		}
		return n.Index >= 1 && n.Index <= MaxParams
	case *Name:
		return path(n.Parts)
	case *Star:
		return n.Table == nil || path(n.Table)
	case *Unary:
		return n.Op == OpNot || n.Op == OpNeg || n.Op == OpPos
	case *Binary:
		return n.Op != OpInvalid && n.Op != OpNot && n.Op != OpNeg && n.Op != OpPos
	case *Quantified:
		return n.Op.level() == levelCompare && n.Op != OpInvalid && (n.Array == nil) != (n.Query == nil)
	case *In:
		return (n.List == nil) != (n.Query == nil)
	case *Case:
		return n.Whens != nil
	case *TypeName:
		if n.Type == TypeDecimal {
			return n.Precision >= 1 && n.Precision <= MaxPrecision && n.Scale >= 0 && n.Scale <= n.Precision
		}
		return n.Type != TypeNone && n.Precision == 0 && n.Scale == 0
	case *Call:
		return path(n.Name) && !(n.Star && (n.Args != nil || n.Distinct))
	case *NamedArg:
		return n.Name.Is()
	case *Tuple:
		return n.Items != nil
	case *Field:
		return n.Name.Is()
	case *Window:
		return !n.Bare || n.Name.Is() && n.PartitionBy == nil && n.OrderBy == nil && n.Frame == nil
	case *Frame:
		return offset(n.Start, n.StartOffset) && offset(n.End, n.EndOffset) &&
			n.Start != UnboundedFollowing && n.End != UnboundedPreceding && n.Start <= n.End
	case *With:
		return n.Tables != nil
	case *CTE:
		return n.Name.Is()
	case *Block:
		return n.Items != nil && (n.Distinct || n.DistinctOn == nil) && !(n.GroupByAll && n.GroupBy != nil)
	case *NamedWindow:
		return n.Name.Is()
	case *ValuesList:
		for _, row := range n.Rows {
			if len(row.Items) != len(n.Rows[0].Items) {
				return false
			}
		}
		return n.Rows != nil
	case *Alias:
		return n.Name.Is()
	case *TableName:
		return path(n.Parts)
	case *Join:
		return n.complete()
	case *Subscribe:
		return (n.Seq != nil) == (n.From == SubscribeSeq)
	case *Describe:
		return (n.Table == nil) != (n.Query == nil)
	case *Show:
		return n.What.Is()
	case *Set:
		return n.Name.Is()
	case *Summarize:
		return (n.Table == nil) != (n.Query == nil)
	case *CreateView:
		return n.Name.Alias == nil && !(n.Replace && n.IfNotExists)
	case *CreateIndex:
		return n.Table.Alias == nil
	case *Drop:
		return n.Name.Alias == nil
	case *ShowCreate:
		return n.Name.Alias == nil
	}
	return true
}

func path(parts []Ident) bool {
	for _, id := range parts {
		if !id.Is() {
			return false
		}
	}
	return parts != nil
}

// offset reports whether one end of a frame has an offset exactly when its kind
// needs one.
func offset(kind BoundKind, e Expr) bool {
	return (e != nil) == (kind == Preceding || kind == Following)
}

func (n *Join) complete() bool {
	conditions := 0
	for _, has := range [...]bool{n.On != nil, n.Using != nil, n.Natural} {
		if has {
			conditions++
		}
	}
	if n.Kind == JoinCross {
		return conditions == 0 && !n.Asof
	}
	return conditions == 1
}
