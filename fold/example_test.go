package fold_test

import (
	"context"
	"fmt"

	"github.com/seed69692123/netdb/fold"
	"github.com/seed69692123/netdb/redex"
)

// Visit is an event, Page the row kept of each page, Pages the fold's state.
type (
	Visit struct{ Path, User string }
	Page  struct{ Hits int }
	Pages struct{ Pages fold.Table[string, Page] }
)

func visited(s *Pages, ev redex.Event) error {
	var v Visit
	if err := fold.Decode(&ev, &v); err != nil {
		return err
	}
	page, _ := s.Pages.Get(v.Path)
	page.Hits++
	s.Pages.Set(v.Path, page)
	return nil
}

// A fold of one's own: a type for the state, a function for the events.
func Example() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	check(err)
	defer store.Close()
	pages, err := fold.Open(ctx, store, fold.Definition[Pages]{Name: "pages", Logs: []string{"visits"}, Fold: fold.Func[Pages](visited)})
	check(err)
	defer pages.Close()

	log, err := store.Log("visits")
	check(err)
	var token fold.WriteToken
	for _, path := range []string{"/", "/docs", "/"} {
		done, err := log.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: fmt.Appendf(nil, `{"Path":%q}`, path)}, redex.AppendOptions{})
		check(err)
		token = fold.TokenOf(done.Position)
	}
	check(pages.Wait(ctx, token))
	for path, page := range pages.Snapshot().State.Pages.All() {
		fmt.Println(path, page.Hits)
	}
	// Output:
	// / 2
	// /docs 1
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// Indexes are declared where the state is made, and used to read it.
func ExampleQuery() {
	type Robot struct {
		Zone    string
		Battery int
	}
	zone := fold.FewValued("zone", func(_ string, r *Robot) string { return r.Zone })
	battery := fold.Ordered("battery", func(_ string, r *Robot) int { return r.Battery })
	robots := fold.NewTable(fold.TableOptions[string, Robot]{Indexes: []fold.Index[string, Robot]{zone, battery}})
	robots.Set("r1", Robot{"hall", 80})
	robots.Set("r2", Robot{"yard", 15})
	robots.Set("r3", Robot{"hall", 20})

	hall := zone.Rows(&robots, "hall")
	lowest := fold.Query[string, Robot]{Rows: &hall, Order: battery, Limit: 1}
	for name, r := range lowest.In(&robots) {
		fmt.Println(name, r.Battery)
	}
	for z, n := range zone.Values(&robots) {
		fmt.Println(z, n)
	}
	// Output:
	// r3 20
	// hall 2
	// yard 1
}

func ExampleWatch() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	check(err)
	defer store.Close()
	pages, err := fold.Open(ctx, store, fold.Definition[Pages]{Name: "pages", Logs: []string{"visits"}, Fold: fold.Func[Pages](visited)})
	check(err)
	log, err := store.Log("visits")
	check(err)

	count := func(s *Pages) int { return s.Pages.Len() }
	same := func(a, b int) bool { return a == b }
	for n, err := range fold.Watch(ctx, pages, count, same) {
		if err != nil {
			fmt.Println("ended:", err)
			break
		}
		fmt.Println(n, "pages")
		if n == 0 {
			_, err := log.Append(ctx, redex.Entry{Encoding: redex.JSON, Payload: []byte(`{"Path":"/"}`)}, redex.AppendOptions{})
			check(err)
		} else {
			pages.Close()
		}
	}
	// Output:
	// 0 pages
	// 1 pages
	// ended: fold: closed
}

func ExampleParseToken() {
	token := fold.TokenOf(redex.Position{Store: redex.StoreID{1, 2, 3}, Log: 4, Epoch: 1, Ordinal: 900, Seq: 17})
	text := token.String()
	back, err := fold.ParseToken(text)
	fmt.Println(text, back == token, err)
	_, err = fold.ParseToken(text[:34])
	fmt.Println(err)
	// Output:
	// w1AQIDAAAAAAAAAAAAAAAAAAQBhAcR09cbpg true <nil>
	// fold: malformed token: its checksum does not match
}

func ExampleAtCut() {
	ctx := context.Background()
	store, err := redex.OpenMemory(ctx, redex.Options{})
	check(err)
	defer store.Close()
	var folds []fold.Instance
	for _, name := range []string{"left", "right"} {
		h, err := fold.Open(ctx, store, fold.Definition[fold.Table[uint64, int]]{
			Name: name, Logs: []string{name}, Fold: fold.Func[fold.Table[uint64, int]](func(t *fold.Table[uint64, int], ev redex.Event) error {
				t.Set(uint64(ev.Seq), len(ev.Payload))
				return nil
			}),
		})
		check(err)
		defer h.Close()
		folds = append(folds, h)
	}
	left, err := store.Log("left")
	check(err)
	right, err := store.Log("right")
	check(err)
	_, err = store.Append(ctx, []redex.Batch{{Log: left, Entries: []redex.Entry{{}}}, {Log: right, Entries: []redex.Entry{{}, {}}}}, redex.AppendOptions{})
	check(err)

	_, states, err := fold.AtCut(ctx, store.Cut, folds...)
	check(err)
	for _, s := range states {
		fmt.Println(s.Fold(), s.Tables()[0].Len())
	}
	// Output:
	// left 1
	// right 2
}
