package ort

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The header that the bindings come with lists the functions of the table in order.
func TestPlacesInTheTable(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Fatal(err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "onnxruntime_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("capi.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(header), "struct OrtApi {")
	table, _, _ = strings.Cut(table, "\n};")
	table = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`).ReplaceAllString(table, "")
	place := map[string]int{}
	for _, m := range regexp.MustCompile(`ORT_API2_STATUS\(\s*(\w+)|ORT_CLASS_(RELEASE)\(\s*(\w+)|ORT_API_CALL\s*\*\s*(\w+)\s*\)`).FindAllStringSubmatch(table, -1) {
		name := m[1] + m[4]
		if m[2] != "" {
			name = "Release" + m[3]
		}
		place[name] = len(place)
	}
	ours := regexp.MustCompile(`at_(\w+) = (\d+),`).FindAllStringSubmatch(string(source), -1)
	if len(ours) < 20 || len(place) < 300 {
		t.Fatalf("%d functions found in capi.go and %d in the header", len(ours), len(place))
	}
	for _, m := range ours {
		if at, known := place[m[1]]; !known || strconv.Itoa(at) != m[2] {
			t.Errorf("%s is at %d in the table, not at %s", m[1], at, m[2])
		}
	}
}
