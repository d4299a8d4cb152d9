package sql

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seed69692123/netdb/query"
)

// TestDocs asserts that docs/sql.md says what the parser does: its reserved
// words are the reserved words, and each row of the table of differences is a
// case of the queries that are run.
func TestDocs(t *testing.T) {
	read := func(name string) string {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	doc := read("../../docs/sql.md")
	if words := strings.Join(query.ReservedWords(), " "); !strings.Contains(strings.Join(strings.Fields(doc), " "), " "+words+" ") {
		t.Errorf("docs/sql.md does not list the reserved words: %s", words)
	}
	cases := read("../../testdata/queries/differences.txt")
	rows := regexp.MustCompile("(?m)^\\| `(SELECT [^`]*? AS x(?: FROM [^`]*)?)` \\| `([^`]*)` \\|").FindAllStringSubmatch(doc, -1)
	if len(rows) < 10 {
		t.Fatalf("found %d rows", len(rows))
	}
	for _, row := range rows {
		if _, err := Parse(row[1], Options{}); err != nil {
			t.Errorf("%s: %v", row[1], err)
		}
		if !strings.Contains(cases, row[1]+"\n----\nx\n"+row[2]+"\n") {
			t.Errorf("no case has the row %s", row[0])
		}
	}
}
