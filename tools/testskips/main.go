// Command testskips reads what `go test -json` wrote and fails if a test was skipped
// for another reason than its tier, or a GPU that is not there: in CI such a skip would
// hide a part that is missing.
//
//	testskips FILE
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"orchestrator/tools/testenv"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: testskips FILE")
		os.Exit(2)
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	defer file.Close()
	found, err := skipped(file)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		os.Exit(2)
	}
	for _, line := range found {
		fmt.Fprintln(os.Stderr, "skipped in CI:", line)
	}
	if len(found) > 0 {
		os.Exit(1)
	}
}

// event is one line of `go test -json`.
type event struct {
	Action, Package, Test, Output string
}

// taken reports whether CI takes a skip for that reason.
func taken(reason string) bool {
	return slices.ContainsFunc([]string{testenv.OnlyFull, testenv.NotShort, testenv.NeedsGPU}, func(r string) bool { return strings.Contains(reason, r) })
}

// skipped lists the tests whose skip CI does not take, each with its reason.
func skipped(r io.Reader) ([]string, error) {
	said := map[string]string{} // by test
	var found []string
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var e event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("not a line of go test -json: %w", err)
		}
		test := e.Package + " " + e.Test
		switch {
		case e.Test == "":
		case e.Action == "output":
			said[test] += e.Output
		case e.Action == "skip":
			if reason := said[test]; !taken(reason) {
				found = append(found, test+": "+strings.Join(strings.Fields(reason), " "))
			}
			delete(said, test)
		case e.Action == "pass" || e.Action == "fail":
			delete(said, test)
		}
	}
}
