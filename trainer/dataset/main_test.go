package dataset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
)

// childEnv makes the test binary open pixels as another process would, and end.
const childEnv = "DATASET_TEST_OPEN_PIXELS"

func TestMain(m *testing.M) {
	if arg := os.Getenv(childEnv); arg != "" {
		if err := openAsChild(arg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// plain is a picture of one colour.
func plain(w, h int, c color.Color) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, c)
		}
	}
	return img
}

func pngOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bmpOf encodes without compression: the same bytes with every Go release.
func bmpOf(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bmp.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// picture is a small PNG that differs from those of other numbers.
func picture(t testing.TB, n int) []byte {
	return pngOf(t, plain(4, 3, color.NRGBA{uint8(n), uint8(n >> 8), 7, 255}))
}

// write puts files into a new folder and returns it.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// pictures makes a file of a picture for each name, every one another.
func pictures(t testing.TB, names ...string) map[string][]byte {
	out := map[string][]byte{}
	for i, name := range names {
		out[name] = picture(t, i)
	}
	return out
}

func mustScan(t testing.TB, o Options) *Index {
	t.Helper()
	ix, err := Scan(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return ix
}

// labelled lists "file class" of every sample, in order.
func labelled(ix *Index) []string {
	out := []string{}
	for _, s := range ix.Samples {
		out = append(out, s.File+" "+ix.Classes[s.Label])
	}
	return out
}

// leftOut lists "file: reason".
func leftOut(ix *Index) []string {
	out := []string{}
	for _, l := range ix.LeftOut {
		out = append(out, l.File+": "+l.Reason)
	}
	return out
}

func wantStrings(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

// wantBadInput checks that an error speaks of the given words, has a hint, and
// is marked as bad input.
func wantBadInput(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that speaks of %q", words)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not speak of %q", err, w)
		}
	}
	var e *Error
	if !errors.As(err, &e) || e.Hint() == "" || e.ExitCode() != 2 {
		t.Errorf("%q (%T) has no hint or is not marked as bad input", err, err)
	}
}

func readText(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// hintOf is the hint of an error about bad input.
func hintOf(t *testing.T, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not about bad input", err)
	}
	return e.Hint()
}
