package dataset

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

var small = Geometry{Resize: []int{4, 4}, Channels: "rgb"}

// cache is a pack and a folder for its pixels.
type cache struct {
	pack   *Pack
	path   string
	digest string
	dir    string
}

func newCache(t testing.TB) *cache {
	path, digest := packed(t, mustScan(t, Options{Path: write(t, fixedFiles(t))}))
	return &cache{openPack(t, path), path, digest, t.TempDir()}
}

func (c *cache) open(t testing.TB, g Geometry) *Pixels {
	t.Helper()
	p, err := OpenPixels(context.Background(), c.pack, g, c.digest, c.dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// files are the cache's finished files.
func (c *cache) files(t testing.TB) []string {
	t.Helper()
	out, err := filepath.Glob(filepath.Join(c.dir, "pixels", "*.u8"))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantPixels checks every sample against the picture that was drawn.
func wantPixels(t testing.TB, p *Pixels) {
	t.Helper()
	ch, h, w, _ := p.Geometry()
	got := make([]uint8, ch*h*w)
	for i, want := range [][3]uint8{{200, 0, 0}, {150, 0, 0}, {0, 0, 200}, {0, 0, 150}} {
		if err := p.Window(got, i, 0, 0, false); err != nil {
			t.Fatal(err)
		}
		for c := range ch {
			if v := got[c*h*w]; v != want[c] {
				t.Errorf("sample %d, channel %d is %d, want %d", i, c, v, want[c])
			}
		}
	}
}

func TestPixels(t *testing.T) {
	c := newCache(t)
	p := c.open(t, Geometry{Resize: []int{6, 5}, Crop: 3, Channels: "bgr", Mean: []float64{1, 2, 3}})
	if ch, h, w, crop := p.Geometry(); ch != 3 || h != 6 || w != 5 || crop != 3 {
		t.Errorf("geometry %d %d %d %d", ch, h, w, crop)
	}
	if p.File(2) != "bees/1.bmp" || p.Label(2) != 1 || p.Label(1) != 0 {
		t.Errorf("sample 2 is %s of class %d", p.File(2), p.Label(2))
	}
	if mean, _ := p.Normalisation(); mean[2] != 3 {
		t.Errorf("mean %v", mean)
	}
	got := make([]uint8, 27)
	if err := p.Window(got, 0, 3, 2, true); err != nil || got[18] != 200 || got[0] != 0 {
		t.Errorf("window %v, error %v", got, err)
	}
	for _, sample := range []int{-1, 4} {
		if err := p.Window(got, sample, 0, 0, false); err == nil {
			t.Errorf("sample %d of 4 was given out", sample)
		}
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPixelsAreDecodedOnce: the second one to ask maps the first one's file,
// even where the pack cannot be read any more.
func TestPixelsAreDecodedOnce(t *testing.T) {
	c := newCache(t)
	wantPixels(t, c.open(t, small))
	if err := c.pack.Close(); err != nil {
		t.Fatal(err)
	}
	wantPixels(t, c.open(t, small))
	if n := len(c.files(t)); n != 1 {
		t.Errorf("%d files", n)
	}
}

// TestPixelFiles: what changes pixels makes another file; crop and
// normalisation, which come later, do not.
func TestPixelFiles(t *testing.T) {
	c := newCache(t)
	c.open(t, small)
	for _, step := range []struct {
		name  string
		g     Geometry
		other string // digest
		files int
	}{
		{"crop and mean", Geometry{Resize: []int{4, 4}, Channels: "rgb", Crop: 2, Mean: []float64{1, 2, 3}, Std: []float64{1, 2, 3}, Scale: 2}, "", 1},
		{"size", Geometry{Resize: []int{4, 5}, Channels: "rgb"}, "", 2},
		{"one number", Geometry{Resize: []int{4}, Channels: "rgb"}, "", 3},
		{"channels", Geometry{Resize: []int{4, 4}, Channels: "bgr"}, "", 4},
		{"another pack", small, strings.Repeat("0", 64), 5},
	} {
		p, err := OpenPixels(context.Background(), c.pack, step.g, cmp.Or(step.other, c.digest), c.dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		p.Close()
		if n := len(c.files(t)); n != step.files {
			t.Errorf("after another %s: %d files, want %d", step.name, n, step.files)
		}
	}
}

// TestUnfinishedPixels: what a killed process or a full disk leaves is never
// taken for pixels, and is cleared away.
func TestUnfinishedPixels(t *testing.T) {
	c := newCache(t)
	c.open(t, small)
	file := c.files(t)[0]
	whole := []byte(readText(t, file))
	for name, content := range map[string][]byte{
		"empty": {}, "cut off": whole[:len(whole)-1], "too long": append(bytes.Clone(whole), 0), "of another key": append([]byte("x"), whole[1:]...),
	} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file+".part", bytes.Repeat(whole, 2), 0o644); err != nil {
			t.Fatal(err)
		}
		wantPixels(t, c.open(t, small))
		if got := []byte(readText(t, file)); !bytes.Equal(got, whole) {
			t.Errorf("a file that is %s was not made anew", name)
		}
		if left, _ := filepath.Glob(file + ".part"); len(left) != 0 {
			t.Errorf("%v is left behind", left)
		}
	}
}

func TestPixelErrors(t *testing.T) {
	c := newCache(t)
	_, err := OpenPixels(context.Background(), c.pack, Geometry{Resize: []int{4, 4}, Channels: "rgb", Std: []float64{0, 1, 1}}, c.digest, c.dir, 1)
	wantBadInput(t, err, "std")
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if _, err := OpenPixels(ctx, c.pack, small, c.digest, c.dir, 1); !errors.Is(err, why) {
		t.Errorf("got %v, want the reason of the cancellation", err)
	}
	c.pack.Index.Samples[1].SHA256 = strings.Repeat("0", 64)
	if _, err := OpenPixels(context.Background(), c.pack, small, c.digest, c.dir, 1); err == nil || !strings.Contains(err.Error(), "ants/2.bmp") || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v for a damaged picture", err)
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, "pixels", "*.part")); len(left)+len(c.files(t)) != 0 {
		t.Errorf("%v and %v are left behind", left, c.files(t))
	}
}

func TestGoroutinesShareAFile(t *testing.T) {
	c := newCache(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			p, err := OpenPixels(context.Background(), c.pack, small, c.digest, c.dir, 2)
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			var readers sync.WaitGroup
			for range 4 {
				readers.Go(func() { wantPixels(t, p) })
			}
			readers.Wait()
		})
	}
	wg.Wait()
	if n := len(c.files(t)); n != 1 {
		t.Errorf("%d files", n)
	}
}

// childArgs tell another process what to open.
type childArgs struct{ Pack, Digest, Dir string }

// openAsChild opens the pixels and checks the first of them.
func openAsChild(arg string) error {
	var a childArgs
	if err := json.Unmarshal([]byte(arg), &a); err != nil {
		return err
	}
	pack, err := OpenPack(a.Pack)
	if err != nil {
		return err
	}
	defer pack.Close()
	p, err := OpenPixels(context.Background(), pack, small, a.Digest, a.Dir, 1)
	if err != nil {
		return err
	}
	defer p.Close()
	got := make([]uint8, 48)
	if err := p.Window(got, 0, 0, 0, false); err != nil || got[0] != 200 {
		return fmt.Errorf("the first pixel is %d, error %w", got[0], err)
	}
	return nil
}

// TestProcessesShareAFile starts several processes while this one holds the
// lock, so that they surely meet at it.
func TestProcessesShareAFile(t *testing.T) {
	c := newCache(t)
	arg, err := json.Marshal(childArgs{c.path, c.digest, c.dir})
	if err != nil {
		t.Fatal(err)
	}
	probe := c.open(t, small)
	probe.Close()
	file := c.files(t)[0]
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(file+".lock", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(held.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	children := make([]*exec.Cmd, 3)
	output := make([]bytes.Buffer, len(children))
	for i := range children {
		children[i] = exec.CommandContext(ctx, os.Args[0])
		children[i].Env = append(os.Environ(), childEnv+"="+string(arg))
		children[i].Stderr = &output[i]
		if err := children[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	held.Close()
	for i, child := range children {
		if err := child.Wait(); err != nil {
			t.Errorf("%v: %s", err, &output[i])
		}
	}
	wantPixels(t, c.open(t, small))
	if n := len(c.files(t)); n != 1 {
		t.Errorf("%d files", n)
	}
}

func TestLoad(t *testing.T) {
	files := map[string][]byte{"red": bmpOf(t, plain(9, 9, color.NRGBA{200, 0, 0, 255})), "bad": []byte("no picture")}
	read := func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return data, nil
		}
		return nil, os.ErrNotExist
	}
	p, err := Load([]string{"red"}, read, Geometry{Resize: []int{4, 4}, Crop: 2, Channels: "rgb"})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]uint8, 12)
	if err := p.Window(got, 0, 1, 1, false); err != nil || got[0] != 200 || got[11] != 0 {
		t.Errorf("window %v, error %v", got, err)
	}
	if ch, h, w, crop := p.Geometry(); ch != 3 || h != 4 || w != 4 || crop != 2 {
		t.Errorf("geometry %d %d %d %d", ch, h, w, crop)
	}
	if p.Label(0) != -1 || p.File(0) != "red" {
		t.Errorf("label %d of %s", p.Label(0), p.File(0))
	}
	_, err = Load([]string{"red", "bad"}, read, small)
	wantBadInput(t, err, "bad", "not a picture")
	if _, err = Load([]string{"none"}, read, small); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v for a file that is not there", err)
	}
	_, err = Load(nil, read, Geometry{})
	wantBadInput(t, err, "resize")
}
