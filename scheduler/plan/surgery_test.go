package plan

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseSurgery(t *testing.T) {
	got, err := ParseSurgery("steps.yaml", []byte("- cut_after: fc7\n- append: {name: fc8, outputs: 2}\n"))
	want := []Step{{CutAfter: "fc7"}, {Append: &NewLayer{Name: "fc8", Outputs: 2}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for text, want := range map[string]string{
		"":                               "steps.yaml: must hold one list of steps",
		"a: [":                           "is not valid YAML",
		"cut_after: x":                   "steps.yaml:1:1: surgery: must be a list",
		"[{cut: x}]":                     "surgery.0.cut: is not a known key",
		"[{append: {name: x}}]":          "surgery.0.append.outputs: is required",
		"[{freeze: a, cut_after: b}]":    "surgery.0: names 2 things to do",
		"[{freeze: a}]\n---\n[{x: a}]":   "must hold one list of steps",
		"&a [{freeze: a}, {freeze: *a}]": "nests deeper than 50",
	} {
		if _, err := ParseSurgery("steps.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want one that says %q", text, err, want)
		}
	}
}

func FuzzParseSurgery(f *testing.F) {
	for _, text := range []string{"[{cut_after: fc7}]", "- reinit: {layers: '*', init: {uniform: [0, 1]}}", "&a [*a]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if steps, err := ParseSurgery("steps.yaml", data); err == nil && len(data) == 0 {
			t.Errorf("nothing was read as %v", steps)
		}
	})
}
