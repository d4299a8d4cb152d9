package archtest

// module is the path of the module whose tree is checked.
const module = "github.com/seed69692123/netdb"

// mayImport says for each package (its folder; "." is the root package) which packages of this module its code may import.
// Imports point down the table; tests may import more. A consumer declares the interface it needs and the root connects.
func mayImport() map[string][]string {
	return map[string][]string{
		"redex/journal":      {},
		"internal/num":       {},
		"internal/wallclock": {},
		"internal/flatmap":   {},
		"internal/leaktest":  {},
		"internal/waitheap":  {},
		"internal/payload":   {"internal/num"},
		"internal/snapfile":  {},
		"internal/csvjson":   {"query", "internal/num", "internal/payload"},
		"redex/sealed":       {"internal/payload"},
		"redex/internal/kv":  {},
		"redex":              {"redex/journal", "redex/sealed", "redex/internal/kv", "internal/payload"},
		"redex/index":        {"redex", "internal/waitheap"},
		"fold":               {"redex", "internal/waitheap"},
		"tasks":              {"fold", "redex", "internal/flatmap"},
		"memories":           {"fold", "redex", "internal/flatmap"},
		"query":              {"internal/num", "internal/wallclock"},
		"query/sql":          {"query", "internal/num"},
		"planner/vector":     {"internal/num", "internal/wallclock"},
		"planner/spill":      {"planner/vector"},
		"planner/spilltest":  {"planner/spill"},
		"planner/exec":       {"planner/spill", "planner/vector", "query", "internal/num", "internal/payload", "internal/wallclock"},
		"planner":            {"planner/exec", "planner/spill", "planner/vector", "query", "internal/num", "internal/payload"},
		"planner/logscan":    {"planner", "planner/vector", "query", "redex", "redex/sealed", "internal/num", "internal/payload"},
		".":                  {"redex", "redex/journal", "redex/index", "fold", "tasks", "memories", "query", "query/sql", "planner", "planner/exec", "planner/spill", "planner/vector", "planner/logscan", "internal/num", "internal/payload", "internal/snapfile"},
		"sqldriver":          {".", "fold", "redex", "query", "query/sql"},
		"cmd/netdb-shell":    {".", "redex", "fold", "tasks", "memories", "query", "query/sql", "internal/csvjson", "internal/payload"},
		"internal/simdisk":   {"redex/journal"},
		"internal/naivesql":  {"query"},
		"internal/archtest":  {},
	}
}

// testOnly are packages that only tests may import.
func testOnly() []string {
	return []string{"internal/simdisk", "internal/naivesql", "internal/archtest", "planner/spilltest"}
}

// stdOnly are packages that import nothing but the standard library and what mayImport gives them: they are parsed, read and
// reused alone.
func stdOnly() []string {
	return []string{"query", "query/sql", "planner/vector", "planner/exec", "planner", "internal/num", "internal/payload", "internal/flatmap", "internal/csvjson", "internal/naivesql", "internal/archtest", "fold", "tasks", "memories"}
}

// designed are packages hard enough to have a DESIGN.md.
func designed() []string { return []string{"redex", "redex/journal", "fold", "planner"} }

// onDisk are the packages whose bytes outlive the process; their byte order code lives in files named format or codec.
// redex/sealed and internal/snapfile are not among them: they are nothing but a file format.
func onDisk() []string {
	return []string{"redex", "redex/journal", "redex/index", "fold", "tasks", "memories", "."}
}

// excepted are the files that a rule of TestByteOrder or TestRefusals does not hold for, and why.
func excepted() map[string]string {
	return map[string]string{
		"redex/append.go":         "fills in counts and lengths that the codec left open until a frame was complete",
		"redex/journal/keeper.go": "draws a salt",
		"redex/journal/scan.go":   "looks for frames among bytes that may be none",
		"sqldriver/driver.go":     "registers itself: package database/sql knows a driver by its name alone",
		"sample_test.go":          "the sample of real events is not part of the repository",
	}
}

// Limits on the length of a file, in lines: past the first, its first comment says why; past the second it is refused.
const (
	longLines    = 600
	refusedLines = 900
)
