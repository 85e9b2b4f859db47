package main

import (
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

func TestSkipped(t *testing.T) {
	output := func(test, text string) string {
		return `{"Action":"output","Package":"p","Test":"` + test + `","Output":"    a_test.go:1: ` + text + `\n"}` + "\n"
	}
	end := func(test, action string) string {
		return `{"Action":"` + action + `","Package":"p","Test":"` + test + `"}` + "\n"
	}
	for name, test := range map[string]struct{ log, want string }{
		"passed":         {output("T", "no library") + end("T", "pass"), ""},
		"full tier":      {output("T", testenv.OnlyFull+"; in its place: another") + end("T", "skip"), ""},
		"short tier":     {output("T", testenv.NotShort) + end("T", "skip"), ""},
		"no GPU":         {output("T", testenv.NeedsGPU) + end("T", "skip"), ""},
		"missing part":   {output("T", "redis-server is not on the PATH") + end("T", "skip"), "p T: a_test.go:1: redis-server is not on the PATH"},
		"another's word": {output("A", testenv.OnlyFull) + output("T", "no library") + end("T", "skip") + end("A", "skip"), "p T: a_test.go:1: no library"},
		"no tests":       {`{"Action":"skip","Package":"p"}` + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := skipped(strings.NewReader(test.log))
			if err != nil || strings.Join(found, "\n") != test.want {
				t.Errorf("found %q, %v; want %q", found, err, test.want)
			}
		})
	}
	if _, err := skipped(strings.NewReader("FAIL: it did not build\n")); err == nil {
		t.Error("text that is no JSON is taken")
	}
}
