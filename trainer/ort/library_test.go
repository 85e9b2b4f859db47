package ort

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// installedLibrary is the library that the other tests run on.
func installedLibrary(t testing.TB) string {
	t.Helper()
	path, _, err := FindLibrary("", "cpu")
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// compiled builds a shared library from C source. The tests' own build needs a
// C compiler too, so there is one.
func compiled(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	in, out := filepath.Join(dir, "lib.c"), filepath.Join(dir, "libonnxruntime.so")
	if err := os.WriteFile(in, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	if msg, err := exec.Command("cc", "-shared", "-fPIC", "-o", out, in).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, msg)
	}
	return out
}

func written(t *testing.T, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const oldLibrary = `
#include <stddef.h>
#include <stdint.h>
static const void *get_api(uint32_t v) { return v <= 17 ? (const void *)get_api : NULL; }
static const char *get_version(void) { return "1.17.3"; }
struct { const void *(*a)(uint32_t); const char *(*v)(void); } base = {get_api, get_version};
void *OrtGetApiBase(void) { return &base; }`

func TestUnusableLibrariesAreToldApart(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("shared libraries have another format here")
	}
	real, err := os.ReadFile(installedLibrary(t))
	if err != nil {
		t.Fatal(err)
	}
	foreign := slices.Clone(real)
	foreign[18] ^= 0xff // e_machine
	tests := map[string]struct {
		path   string
		reason string
		found  string
	}{
		"missing":             {path: filepath.Join(t.TempDir(), "nothing.so"), reason: "no such file"},
		"a folder":            {path: t.TempDir(), reason: "folder"},
		"a text file":         {path: written(t, []byte("not a library\n")), reason: "not a shared library"},
		"an empty file":       {path: written(t, nil), reason: "not a shared library"},
		"half a download":     {path: written(t, real[:len(real)/2]), reason: "cut short"},
		"a few bytes missing": {path: written(t, real[:len(real)-100]), reason: "cut short"},
		"another machine's":   {path: written(t, foreign), reason: "built for"},
		"another library":     {path: compiled(t, "int f(void) { return 1; }"), reason: "not ONNX Runtime"},
		"needs a missing one": {path: compiled(t, "extern int nowhere; int *OrtGetApiBase(void) { return &nowhere; }"), reason: "nowhere"},
		"an old version":      {path: compiled(t, oldLibrary), reason: "version 1.17.3, which is too old", found: "1.17.3"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := load(test.path)
			var bad *LibraryError
			if !errors.As(err, &bad) {
				t.Fatalf("error %v (%T)", err, err)
			}
			if bad.Path != test.path || !strings.Contains(bad.Reason, test.reason) || bad.Found != test.found {
				t.Errorf("%+v; want a reason with %q and version %q", bad, test.reason, test.found)
			}
			if !strings.Contains(bad.Hint(), "make setup") || bad.ExitCode() != 2 {
				t.Errorf("hint %q, exit code %d", bad.Hint(), bad.ExitCode())
			}
		})
	}
}

func TestFindLibrary(t *testing.T) {
	name := libraryNames()[0]
	root := t.TempDir()
	inTree := filepath.Join(root, installed, name)
	withCUDA := filepath.Join(root, installedCUDA, name)
	other := filepath.Join(root, "own", name)
	for _, path := range []string{inTree, withCUDA, other} {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o750); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		explicit, env, dir, device string
		want                       string // "" for an error
	}{
		"under the working directory": {dir: root, want: inTree},
		"under a parent":              {dir: deep, want: inTree},
		"for CUDA":                    {dir: deep, device: "cuda", want: withCUDA},
		"environment before CUDA":     {env: other, dir: root, device: "cuda", want: other},
		"environment":                 {env: other, dir: root, want: other},
		"explicit before environment": {explicit: other, env: inTree, dir: root, want: other},
		"explicit folder":             {explicit: filepath.Dir(other), dir: deep, want: other},
		"explicit and missing":        {explicit: filepath.Join(root, "no.so"), dir: root},
		"explicit empty folder":       {explicit: deep, dir: root},
		"environment and missing":     {env: filepath.Join(root, "no.so"), dir: root},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Setenv(LibraryEnv, test.env)
			t.Chdir(test.dir)
			got, tried, err := FindLibrary(test.explicit, test.device)
			if (err == nil) != (test.want != "") || got != test.want {
				t.Errorf("found %q (%v), want %q; tried %q", got, err, test.want, tried)
			}
			var bad *LibraryError
			if err != nil && !errors.As(err, &bad) {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestNothingFoundListsThePlaces(t *testing.T) {
	t.Setenv(LibraryEnv, "")
	dir := t.TempDir()
	t.Chdir(dir)
	_, tried, err := FindLibrary("", "cpu")
	if err == nil {
		t.Skip("this machine has an ONNX Runtime in the linker's path")
	}
	var bad *LibraryError
	if !errors.As(err, &bad) || !slices.Equal(bad.Tried, tried) {
		t.Fatalf("error %v, tried %q", err, tried)
	}
	for _, want := range []string{filepath.Join(dir, installed), "dynamic linker", "lib"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
}
