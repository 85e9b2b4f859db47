package tools

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// apart are packages with goroutines that are not in the list, and why.
var apart = map[string]string{
	"cmd/orchestrator":          "tools/test-groups.sh has a part of it run with the race detector",
	"scheduler/queue/queuetest": "starts servers for tests",
	"artifacts/artifactstest":   "is run by the tests of artifacts",
	"scheduler/gc":              "is run by the tests of scheduler",
	"scheduler/schedulertest":   "is run by the tests of scheduler",
}

// TestGoroutinesRunUnderTheRaceDetector: every package that starts a goroutine is in
// race-packages.txt, and every package there exists.
func TestGoroutinesRunUnderTheRaceDetector(t *testing.T) {
	root := testenv.Root(t)
	listed := racePackages(t)
	for pkg := range listed {
		if files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go")); err != nil || len(files) == 0 {
			t.Errorf("race-packages.txt: %s has no tests", pkg)
		}
	}
	starts := startGoroutines(t, root)
	for pkg := range apart {
		if starts[pkg] == "" {
			t.Errorf("%s starts no goroutine: it needs no exception", pkg)
		}
	}
	for pkg, where := range starts {
		if !listed[pkg] && apart[pkg] == "" {
			t.Errorf("%s starts a goroutine, and %s is not in race-packages.txt", where, pkg)
		}
	}
}

func racePackages(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open("race-packages.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listed := map[string]bool{}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line := strings.TrimPrefix(lines.Text(), "short "); line != "" && line[0] != '#' {
			listed[line] = true
		}
	}
	return listed
}

// startGoroutines finds the packages whose code starts goroutines, by a go statement or
// by the Go method of a group, and where the first of each does.
func startGoroutines(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && (name == "build" || name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") && path != root) {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg, err := filepath.Rel(root, filepath.Dir(path))
		ast.Inspect(file, func(n ast.Node) bool {
			starts := false
			switch n := n.(type) {
			case *ast.GoStmt:
				starts = true
			case *ast.CallExpr:
				method, ok := n.Fun.(*ast.SelectorExpr)
				starts = ok && method.Sel.Name == "Go"
			}
			if starts && found[filepath.ToSlash(pkg)] == "" {
				found[filepath.ToSlash(pkg)] = files.Position(n.Pos()).String()
			}
			return true
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
