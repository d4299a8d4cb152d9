package sqldriver_test

import (
	"os"
	"testing"

	"github.com/seed69692123/netdb/internal/leaktest"
)

// TestMain has every test leave no goroutine, open file or mapping behind.
func TestMain(m *testing.M) { os.Exit(leaktest.Main(m)) }
