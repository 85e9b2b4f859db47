package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// fixedFiles are pictures whose bytes no encoder's version changes.
func fixedFiles(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"ants/1.bmp": bmpOf(t, plain(4, 3, color.NRGBA{200, 0, 0, 255})), "ants/2.bmp": bmpOf(t, plain(4, 3, color.NRGBA{150, 0, 0, 255})),
		"bees/1.bmp": bmpOf(t, plain(4, 3, color.NRGBA{0, 0, 200, 255})), "bees/2.bmp": bmpOf(t, plain(4, 3, color.NRGBA{0, 0, 150, 255})),
	}
}

// packed writes a pack file and returns it with its digest.
func packed(t testing.TB, ix *Index) (path, digest string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "pack.tar")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if digest, _, err = WritePack(context.Background(), ix, f); err != nil {
		t.Fatal(err)
	}
	return path, digest
}

// openPack opens a pack until the test ends.
func openPack(t testing.TB, path string) *Pack {
	t.Helper()
	p, err := OpenPack(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestPackRoundTrip(t *testing.T) {
	files := fixedFiles(t)
	ix := mustScan(t, Options{Path: write(t, files)})
	path, digest := packed(t, ix)
	raw := []byte(readText(t, path))
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != digest {
		t.Errorf("digest %s is not the file's", digest)
	}
	_, size, err := WritePack(context.Background(), ix, io.Discard)
	if err != nil || size != int64(len(raw)) {
		t.Errorf("size %d, error %v; the file has %d bytes", size, err, len(raw))
	}
	p := openPack(t, path)
	if !slices.Equal(p.Index.Samples, ix.Samples) || !slices.Equal(p.Index.Classes, ix.Classes) {
		t.Errorf("index %+v, want %+v", p.Index, ix)
	}
	for i, s := range ix.Samples {
		if got, err := p.Picture(i); err != nil || !bytes.Equal(got, files[s.File]) {
			t.Errorf("%s came back as %d bytes, error %v", s.File, len(got), err)
		}
	}
}

// TestPackDigest: a data set's identity is its pictures and labels, and nothing
// else. Whoever changes the golden digest makes every finished job run again.
func TestPackDigest(t *testing.T) {
	const golden = "84868044ecfe5d100cb0adfd8f7715618f46d704ca7a6547c035f8ac9678a25b"
	digest := func(change func(map[string][]byte)) string {
		files := fixedFiles(t)
		change(files)
		_, d := packed(t, mustScan(t, Options{Path: write(t, files)}))
		return d
	}
	if d := digest(func(map[string][]byte) {}); d != golden {
		t.Errorf("digest %s, want %s", d, golden)
	}
	if d := digest(func(f map[string][]byte) { f["ants/.DS_Store"], f["notes.txt"] = []byte("x"), nil }); d != golden {
		t.Error("files that are left out change the digest")
	}
	for name, change := range map[string]func(map[string][]byte){
		"a pixel":   func(f map[string][]byte) { f["ants/1.bmp"][60] ^= 1 },
		"a name":    func(f map[string][]byte) { f["ants/0.bmp"] = f["ants/1.bmp"]; delete(f, "ants/1.bmp") },
		"a label":   func(f map[string][]byte) { f["bees/0.bmp"] = f["ants/1.bmp"]; delete(f, "ants/1.bmp") },
		"a picture": func(f map[string][]byte) { delete(f, "ants/1.bmp") },
	} {
		if digest(change) == golden {
			t.Errorf("another %s does not change the digest", name)
		}
	}
}

func TestWritePackErrors(t *testing.T) {
	dir := write(t, fixedFiles(t))
	ix := mustScan(t, Options{Path: dir})
	full := errors.New("no space left")
	if _, _, err := WritePack(context.Background(), ix, failingWriter{full}); !errors.Is(err, full) {
		t.Errorf("got %v, want the writer's error", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := WritePack(ctx, ix, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the cancellation", err)
	}
	changed := filepath.Join(dir, "bees", "1.bmp")
	if err := os.WriteFile(changed, picture(t, 9), 0o644); err != nil {
		t.Fatal(err)
	}
	_, _, err := WritePack(context.Background(), ix, io.Discard)
	wantBadInput(t, err, "bees/1.bmp", "changed")
	if err := os.Remove(changed); err != nil {
		t.Fatal(err)
	}
	if _, _, err = WritePack(context.Background(), ix, io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for a picture that is gone", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// TestDamagedPack: whatever is wrong, it is found, at the latest when the picture
// is read.
func TestDamagedPack(t *testing.T) {
	path, _ := packed(t, mustScan(t, Options{Path: write(t, fixedFiles(t))}))
	whole := []byte(readText(t, path))
	in := func(text string) int {
		t.Helper()
		at := bytes.Index(whole, []byte(text))
		if at < 0 {
			t.Fatalf("the pack does not hold %q", text)
		}
		return at
	}
	for _, c := range []struct {
		name   string
		damage func(data []byte) []byte
		word   string
	}{
		{"empty", func([]byte) []byte { return nil }, "not a pack"},
		{"a picture", func([]byte) []byte { return picture(t, 1) }, "not a pack"},
		{"another name in front", func(d []byte) []byte { d[0] = 'x'; return d }, "not a pack"},
		{"no JSON", func(d []byte) []byte { d[512] = 'x'; return d }, "index"},
		{"a label beyond the classes", func(d []byte) []byte { d[in(`"label": 1`)+9] = '7'; return d }, "label 7 of 2"},
		{"a size that is wrong", func(d []byte) []byte { d[in(`"size": `)+8] = '1'; return d }, "picture 0"},
		{"cut off between pictures", func(d []byte) []byte { return d[:in("pictures/000002")] }, "picture 2 is missing"},
		{"cut off in a picture", func(d []byte) []byte { return d[:in("pictures/000003")+512+10] }, "picture 3 is cut off"},
		{"a flipped bit in a picture", func(d []byte) []byte { d[in("pictures/000001")+512+60] ^= 1; return d }, "damaged"},
		{"a checksum that is wrong", func(d []byte) []byte { d[in(`"sha256": "`)+11] ^= 1; return d }, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pack.tar")
			if err := os.WriteFile(file, c.damage(bytes.Clone(whole)), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := readAll(file); err == nil || !strings.Contains(err.Error(), c.word) {
				t.Errorf("error %v does not speak of %q", err, c.word)
			}
		})
	}
	if _, err := OpenPack(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for a pack that is not there", err)
	}
}

// readAll opens a pack and reads each picture.
func readAll(path string) error {
	p, err := OpenPack(path)
	if err != nil {
		return err
	}
	defer p.Close()
	for i := range p.Index.Samples {
		if _, err := p.Picture(i); err != nil {
			return err
		}
	}
	return nil
}

func TestExample(t *testing.T) {
	const golden = "d1f80640ee106d2f0b514aa74d8bf28be53c2917c78870832031285add309a57"
	dir := filepath.Join(t.TempDir(), "new")
	if err := Example(dir, 30, 32, 1); err != nil {
		t.Fatal(err)
	}
	ix := mustScan(t, Options{Path: dir})
	perClass := make([]int, len(ix.Classes))
	sum := sha256.New()
	for _, s := range ix.Samples {
		perClass[s.Label]++
		planes, err := Prepare([]byte(readText(t, filepath.Join(dir, s.File))), Geometry{Resize: []int{32, 32}, Channels: "rgb"})
		if err != nil {
			t.Fatal(err)
		}
		sum.Write(planes)
	}
	if !slices.Equal(ix.Classes, []string{"checks", "rings", "stripes"}) || !slices.Equal(perClass, []int{10, 10, 10}) {
		t.Errorf("classes %v with %v pictures", ix.Classes, perClass)
	}
	// Other processors may fuse a multiplication with an addition, and round once.
	if got := hex.EncodeToString(sum.Sum(nil)); runtime.GOARCH == "amd64" && got != golden {
		t.Errorf("the pixels' digest is %s, want %s", got, golden)
	}
}

// TestExampleAgain: drawing again changes nothing, completes what is missing, and
// never touches other people's files.
func TestExampleAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	draw := func(pictures int, seed int64) error { return Example(dir, pictures, 16, seed) }
	if err := draw(9, 1); err != nil {
		t.Fatal(err)
	}
	_, first := packed(t, mustScan(t, Options{Path: dir}))
	if err := os.Remove(filepath.Join(dir, "rings", "0001.png")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "checks", "0000.png"), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := draw(9, 1); err != nil {
		t.Fatal(err)
	}
	if _, again := packed(t, mustScan(t, Options{Path: dir})); again != first {
		t.Error("drawn again, the pictures differ")
	}
	if err := draw(9, 2); err != nil {
		t.Fatal(err)
	}
	if _, other := packed(t, mustScan(t, Options{Path: dir})); other == first {
		t.Error("another seed draws the same pictures")
	}
	wantBadInput(t, draw(6, 1), "0006.png") // a larger set is there
	if err := os.WriteFile(filepath.Join(dir, "mine.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	wantBadInput(t, draw(9, 1), dir, "mine.txt")
	for _, c := range []struct{ pictures, size int }{{5, 16}, {9, 7}, {9, 1025}, {-1, 16}} {
		wantBadInput(t, Example(t.TempDir(), c.pictures, c.size, 1), "pixels")
	}
}

// TestExampleIsNotTrivial: a class mean of the pixels, or of the mean colour,
// tells three classes hardly better than chance.
func TestExampleIsNotTrivial(t *testing.T) {
	testenv.Daily(t)
	dir := filepath.Join(t.TempDir(), "new")
	if err := Example(dir, 300, 24, 5); err != nil {
		t.Fatal(err)
	}
	ix := mustScan(t, Options{Path: dir})
	pixels, colours := make([][]float64, len(ix.Samples)), make([][]float64, len(ix.Samples))
	for i, s := range ix.Samples {
		planes, err := Prepare([]byte(readText(t, filepath.Join(dir, s.File))), Geometry{Resize: []int{24, 24}, Channels: "rgb"})
		if err != nil {
			t.Fatal(err)
		}
		pixels[i], colours[i] = make([]float64, len(planes)), make([]float64, 3)
		for k, v := range planes {
			pixels[i][k] = float64(v)
			colours[i][k/(24*24)] += float64(v) / (24 * 24)
		}
	}
	for name, features := range map[string][][]float64{"pixels": pixels, "mean colour": colours} {
		if a := nearestMean(features, ix); a >= 0.5 {
			t.Errorf("the nearest mean of %s is right for %.0f%% of the pictures", name, 100*a)
		}
	}
}

// nearestMean trains on every other picture of each class and returns the
// accuracy on the rest.
func nearestMean(features [][]float64, ix *Index) float64 {
	mean, count := make([][]float64, len(ix.Classes)), make([]float64, len(ix.Classes))
	for i, s := range ix.Samples {
		if mean[s.Label] == nil {
			mean[s.Label] = make([]float64, len(features[i]))
		}
		if i%2 == 0 {
			count[s.Label]++
			for k, v := range features[i] {
				mean[s.Label][k] += v
			}
		}
	}
	right, all := 0.0, 0.0
	for i := 1; i < len(features); i += 2 {
		best, nearest := -1, 0.0
		for c := range mean {
			d := 0.0
			for k, v := range features[i] {
				d += (v - mean[c][k]/count[c]) * (v - mean[c][k]/count[c])
			}
			if best < 0 || d < nearest {
				best, nearest = c, d
			}
		}
		all++
		if best == ix.Samples[i].Label {
			right++
		}
	}
	return right / all
}
