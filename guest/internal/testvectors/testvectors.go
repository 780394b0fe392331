// Package testvectors reads the golden bytes that the host's tests read too.
package testvectors

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Read reads a file of test/vectors, seen from the folder of a package, as Go runs its tests.
func Read(t testing.TB, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../test/vectors", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}
