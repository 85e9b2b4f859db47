package ort

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The header that the bindings come with has the table as a struct: a compiler says
// where in it each function is.
func TestPlacesInTheTable(t *testing.T) {
	header, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("capi.go")
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`at_(\w+) = (\d+),`).FindAllStringSubmatch(string(source), -1)
	if len(ours) < 20 {
		t.Fatalf("%d functions found in capi.go", len(ours))
	}
	var checks, program strings.Builder
	for _, m := range ours {
		fmt.Fprintf(&checks, "printf(\"%s %%zu\\n\", offsetof(OrtApi, %s) / sizeof(void *));\n", m[1], m[1])
	}
	fmt.Fprintf(&program, "#include <stddef.h>\n#include <stdio.h>\n#include \"onnxruntime_c_api.h\"\nint main(void) {\n%s}\n", checks.String())
	in, out := filepath.Join(t.TempDir(), "places.c"), filepath.Join(t.TempDir(), "places")
	if err := os.WriteFile(in, []byte(program.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("cc", "-I", strings.TrimSpace(string(header)), "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, msg)
	}
	places, err := exec.Command(out).Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(places)), "\n") {
		if want := ours[i][1] + " " + ours[i][2]; line != want {
			t.Errorf("the table has %q, not %q", line, want)
		}
	}
}
