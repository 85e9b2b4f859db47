package dataset

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/tools/testenv"

	"golang.org/x/sys/unix"
)

// TestScanFolders says which files of a folder are used, and as what.
func TestScanFolders(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   map[string][]byte
		o       Options
		samples []string
		left    []string
	}{
		{
			name:    "class folders, in the order of names",
			files:   pictures(t, "bees/2.png", "ants/b.png", "ants/a.png", "bees/1.png"),
			samples: []string{"ants/a.png ants", "ants/b.png ants", "bees/1.png bees", "bees/2.png bees"},
		},
		{
			name:    "folders below a class folder belong to it",
			files:   pictures(t, "ants/x/y/1.png", "bees/1.png"),
			samples: []string{"ants/x/y/1.png ants", "bees/1.png bees"},
		},
		{
			name:    "numbered classes are in the order of numbers",
			files:   pictures(t, "10/a.png", "9/a.png"),
			samples: []string{"10/a.png 10", "9/a.png 9"},
		},
		{
			name:    "splits are taken together",
			files:   pictures(t, "train/ants/1.png", "Val/ants/1.png", "train/bees/2.png", "test/bees/2.png"),
			samples: []string{"Val/ants/1.png ants", "test/bees/2.png bees", "train/ants/1.png ants", "train/bees/2.png bees"},
		},
		{
			name:    "a folder called train beside others is a class",
			files:   pictures(t, "train/1.png", "plane/1.png"),
			samples: []string{"plane/1.png plane", "train/1.png train"},
		},
		{
			name: "hidden files, stray pictures, notes",
			files: map[string][]byte{
				"ants/1.png": picture(t, 1), "bees/1.png": picture(t, 2), "ants/.DS_Store": {1}, ".git/x/1.png": picture(t, 3),
				"top.png": picture(t, 4), "bees/notes.txt": []byte("seen in May"), "bees/@eaDir/1.png/THUMB.jpg": picture(t, 5),
			},
			samples: []string{"ants/1.png ants", "bees/1.png bees"},
			left: []string{
				"ants/.DS_Store: hidden file", "bees/@eaDir: a folder that Synology DSM makes",
				"bees/notes.txt: not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)", "top.png: not in a class folder",
			},
		},
		{
			name:    "include and exclude",
			files:   pictures(t, "ants/1.png", "ants/2.PNG", "ants/old/3.png", "bees/1.png", "bees/[x].png"),
			o:       Options{Include: []string{"*.png"}, Exclude: []string{"*/old/*", "[x].???"}},
			samples: []string{"ants/1.png ants", "bees/1.png bees"},
			left: []string{
				"ants/2.PNG: matches no include pattern", "ants/old/3.png: excluded by */old/*", "bees/[x].png: excluded by [x].???",
			},
		},
		{
			name:    "the content tells the format, not the name",
			files:   pictures(t, "ants/1.jpg", "bees/1"),
			samples: []string{"ants/1.jpg ants", "bees/1 bees"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Path = write(t, c.files)
			ix := mustScan(t, c.o)
			wantStrings(t, "samples", labelled(ix), c.samples)
			wantStrings(t, "left out", leftOut(ix), append([]string{}, c.left...))
		})
	}
}

func TestScanNotesMergedSplits(t *testing.T) {
	ix := mustScan(t, Options{Path: write(t, pictures(t, "train/a/1.png", "val/b/1.png"))})
	if len(ix.Notes) != 1 || !strings.Contains(ix.Notes[0], "train, val") {
		t.Errorf("notes %q do not say that train and val are taken together", ix.Notes)
	}
	if ix = mustScan(t, Options{Path: write(t, pictures(t, "a/1.png", "b/1.png"))}); len(ix.Notes) != 0 {
		t.Errorf("notes %q where nothing was decided", ix.Notes)
	}
}

func TestScanDescribesPictures(t *testing.T) {
	same := pngOf(t, plain(7, 5, color.White))
	ix := mustScan(t, Options{Path: write(t, map[string][]byte{"a/1": same, "a/2": same, "b/2": picture(t, 1)})})
	s := ix.Samples[0]
	if s.Width != 7 || s.Height != 5 || s.Format != "png" || s.Size != int64(len(same)) || len(s.SHA256) != 64 {
		t.Errorf("sample %+v is not a 7×5 PNG of %d bytes", s, len(same))
	}
	if n := ix.Duplicates(); n != 1 {
		t.Errorf("%d duplicates, want 1", n)
	}
}

// TestScanFollowsLinks: data sets are often links to where there is room.
func TestScanFollowsLinks(t *testing.T) {
	real := write(t, pictures(t, "ants/1.png", "ants/2.png", "bees/1.png"))
	dir := t.TempDir()
	link := func(to, from string) {
		t.Helper()
		if err := os.Symlink(to, filepath.Join(dir, from)); err != nil {
			t.Fatal(err)
		}
	}
	link(real, "all")
	wantStrings(t, "through a link", labelled(mustScan(t, Options{Path: filepath.Join(dir, "all")})), []string{"ants/1.png ants", "ants/2.png ants", "bees/1.png bees"})

	if err := os.MkdirAll(filepath.Join(dir, "own", "wasps"), 0o755); err != nil {
		t.Fatal(err)
	}
	link(filepath.Join(real, "ants"), "own/ants")
	link(filepath.Join(real, "bees", "1.png"), "own/wasps/w.png")
	link("..", "own/wasps/up")
	link("nowhere", "own/wasps/gone.png")
	if err := unix.Mkfifo(filepath.Join(dir, "own", "wasps", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	ix := mustScan(t, Options{Path: filepath.Join(dir, "own")})
	wantStrings(t, "samples", labelled(ix), []string{"ants/1.png ants", "ants/2.png ants", "wasps/w.png wasps"})
	wantStrings(t, "left out", leftOut(ix), []string{
		"wasps/gone.png: a link to nothing", "wasps/pipe: not a regular file", "wasps/up: a link to a folder that it is in",
	})
}

func jpegOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, plain(w, h, color.NRGBA{200, 30, 90, 255}), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDamagedPictures are errors that name the file, or left out with on_bad:
// skip.
func TestDamagedPictures(t *testing.T) {
	whole := pngOf(t, plain(40, 30, color.Black))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-20] ^= 0xff
	for _, c := range []struct {
		name   string
		data   []byte
		reason string
	}{
		{"empty", nil, "the file is empty"},
		{"JPEG cut off", jpegOf(t, 40, 30)[:len(jpegOf(t, 40, 30))-20], "cut off"},
		{"JPEG cut off in its head", jpegOf(t, 40, 30)[:20], "damaged"},
		{"PNG cut off", whole[:len(whole)-20], "cut off"},
		{"PNG with a wrong byte", flipped, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, "a/1.png", "b/1.png")
			files["b/bad.jpg"] = c.data
			dir := write(t, files)
			_, err := Scan(context.Background(), Options{Path: dir})
			wantBadInput(t, err, filepath.Join(dir, "b", "bad.jpg"), c.reason)
			ix := mustScan(t, Options{Path: dir, OnBad: "skip"})
			if len(ix.Samples) != 2 || len(ix.LeftOut) != 1 || !strings.Contains(ix.LeftOut[0].Reason, c.reason) {
				t.Errorf("with on_bad: skip: %d samples, left out %q", len(ix.Samples), leftOut(ix))
			}

			files["list.csv"] = []byte("file,label\na/1.png,x\nb/bad.jpg,y\nb/1.png,y\n")
			dir = write(t, files)
			_, err = Scan(context.Background(), Options{Path: filepath.Join(dir, "list.csv")})
			wantBadInput(t, err, filepath.Join(dir, "list.csv")+":3:", "b/bad.jpg", c.reason)
		})
	}
}

// TestListedNoPicture: who lists a file means it, so one that is no picture is
// an error even though it would be left out of a folder.
func TestListedNoPicture(t *testing.T) {
	files := pictures(t, "1.png", "2.png")
	files["notes.txt"], files["list.txt"] = []byte("hello"), []byte("1.png a\nnotes.txt b\n2.png b\nsub b\n")
	files["sub/x"] = nil
	path := filepath.Join(write(t, files), "list.txt")
	_, err := Scan(context.Background(), Options{Path: path})
	wantBadInput(t, err, path+":2:", "notes.txt", "not a picture")
	wantStrings(t, "left out", leftOut(mustScan(t, Options{Path: path, OnBad: "skip"})), []string{
		"notes.txt: not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)", "sub: it is a folder or a device, not a file",
	})
}

func TestScanErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string][]byte
		o     Options
		words []string
	}{
		{"empty folder", nil, Options{}, []string{"no class folders"}},
		{"pictures without class folders", pictures(t, "1.png"), Options{}, []string{"no class folders"}},
		{"one class", pictures(t, "ants/1.png", "ants/2.png"), Options{}, []string{"all 2 pictures", "one class", "ants"}},
		{"nothing is included", pictures(t, "a/1.png", "b/1.png"), Options{Include: []string{"*.jpg"}}, []string{"no pictures are left", "2 files"}},
		{"unknown on_bad", pictures(t, "a/1.png", "b/1.png"), Options{OnBad: "ignore"}, []string{"on_bad", "ignore"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Path = write(t, c.files)
			_, err := Scan(context.Background(), c.o)
			wantBadInput(t, err, c.words...)
		})
	}
	missing := filepath.Join(t.TempDir(), "nowhere")
	_, err := Scan(context.Background(), Options{Path: missing})
	wantBadInput(t, err, missing, "no such folder")
}

func TestScanIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	if _, err := Scan(ctx, Options{Path: write(t, pictures(t, "a/1.png", "b/1.png"))}); !errors.Is(err, why) {
		t.Errorf("got %v, want the reason of the cancellation", err)
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a/b", true}, {"?", "", false}, {"?", "ü", true}, {"a?c", "abc", true},
		{"a*c", "abbbc", true}, {"a*c", "abbcb", false}, {"*a*b", "xaxbxb", true}, {"*.jpg", "x.jpg", true}, {"*.jpg", "x.JPG", false},
		{"[ab]", "a", false}, {"[ab]", "[ab]", true}, {"**", "x", true}, {"a*", "ba", false},
		{strings.Repeat("*a", 30) + "b", strings.Repeat("a", 200), false}, // not exponential
	} {
		if got := globMatch(c.glob, c.name); got != c.want {
			t.Errorf("globMatch(%q, %q) = %v", c.glob, c.name, got)
		}
	}
}

// TestHymenoptera reads 396 real photographs; the example's include pattern
// takes these and nothing else.
func TestHymenoptera(t *testing.T) {
	testenv.Daily(t)
	dir := testenv.Data(t, "hymenoptera")
	ix := mustScan(t, Options{Path: dir, Include: []string{"*.jpg"}})
	perClass := map[string]int{}
	for _, s := range ix.Samples {
		perClass[ix.Classes[s.Label]]++
		if s.Format != "jpeg" {
			t.Errorf("%s is %s", s.File, s.Format)
		}
	}
	if len(ix.Samples) != 396 || perClass["ants"]+perClass["bees"] != 396 {
		t.Errorf("%d pictures, %v", len(ix.Samples), perClass)
	}
	wantStrings(t, "left out", leftOut(ix), []string{
		"train/ants/formica.jpeg: matches no include pattern", "train/ants/imageNotFound.gif: matches no include pattern",
	})
}
