package queue

import (
	"os"
	"strings"
	"testing"
)

// The line in the documentation is the one that TestLeastRights shows to suffice.
func TestDocumentedRights(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, cluster := range []bool{false, true} {
		if want := "ACL SETUSER orchestrator on >PASSWORD " + aclRules(cluster) + " ```"; !strings.Contains(text, want) {
			t.Errorf("docs/operations.md does not say:\n%s", want)
		}
	}
}

// ACLRules is for the tests that use a real Redis.
func ACLRules(cluster bool) string { return aclRules(cluster) }
