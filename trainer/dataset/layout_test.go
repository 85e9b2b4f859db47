package dataset

import (
	"context"
	"strings"
	"testing"
)

// TestLayouts: which folders are the classes, and what is said of it.
func TestLayouts(t *testing.T) {
	for _, c := range []struct {
		name    string
		files   []string
		o       Options
		classes string
		samples int
		notes   []string // parts of the notes, in order
	}{
		{"dev is a split", []string{"train/a/1.png", "train/b/2.png", "dev/a/3.png", "dev/b/4.png"}, Options{}, "a b", 4, []string{"dev, train are taken together"}},
		{"with words around", []string{"training_set/a/1.png", "training_set/b/2.png", "test_set/a/3.png", "test_set/b/4.png"}, Options{}, "a b", 4, []string{"test_set, training_set are"}},
		{"with numbers", []string{"train2017/a/1.png", "train2017/b/2.png", "ValSet/a/3.png", "ValSet/b/4.png"}, Options{}, "a b", 4, []string{"ValSet, train2017 are"}},
		{"what macOS makes", []string{"train/a/1.png", "train/b/2.png", "test/a/3.png", "__MACOSX/train/a/x.png"}, Options{}, "a b", 3, []string{"test, train are"}},
		{"what Synology makes", []string{"a/1.png", "b/2.png", "@eaDir/a/x.jpg", "a/@eaDir/1.png/x.jpg"}, Options{}, "a b", 2, nil},
		{
			"splits in folders of the same name, and pictures without a class", []string{"seg_train/seg_train/a/1.png", "seg_train/seg_train/b/2.png", "seg_test/seg_test/a/3.png", "seg_test/seg_test/b/4.png", "seg_pred/seg_pred/5.png"},
			Options{}, "a b", 4, []string{"seg_pred, seg_test, seg_train are", "1 picture is left out: not in a class folder"},
		},
		{"below a folder", []string{"archive/set/a/1.png", "archive/set/b/2.png", "archive/LICENSE"}, Options{}, "a b", 2, []string{"folders in archive/set"}},
		{"splits below a folder", []string{"data/train/a/1.png", "data/train/b/2.png", "data/val/a/3.png"}, Options{}, "a b", 3, []string{"train, val are"}},
		{"only train", []string{"train/a/1.png", "train/b/2.png"}, Options{}, "a b", 2, []string{"the classes are the folders in train"}},
		{
			"a split whose pictures have no class", []string{"train/a/1.png", "train/b/2.png", "test/images/3.png"},
			Options{}, "a b", 2, []string{"test, train are", "test has no class folders: images", "1 picture is left out: not in a class folder"},
		},
		{"a class of one split alone", []string{"train/good/1.png", "test/bad/2.png", "test/worse/3.png"}, Options{}, "bad good worse", 3, []string{"test, train are"}},
		{"lists beside splits", []string{"train/a/1.png", "train/b/2.png", "test/a/3.png", "annotations/a.xml"}, Options{}, "a b", 3, []string{"test, train are"}},
		{"splits below the classes", []string{"a/train/1.png", "a/test/2.png", "b/train/3.png", "b/test/4.png"}, Options{}, "a b", 4, []string{"test, train below each class"}},
		{"a folder in each class", []string{"a/images/1.png", "b/images/2.png"}, Options{}, "a b", 2, nil},
		{"another set of the same classes", []string{"train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png", "more/a/5.png", "more/b/6.png"}, Options{}, "a b", 6, []string{"more, test, train are"}},
		{"the same folders, above", []string{"x/a/1.png", "x/b/2.png", "y/a/3.png", "y/b/4.png"}, Options{ClassLevel: 1}, "x y", 4, nil},
		{"the same folders, below", []string{"x/a/1.png", "x/b/2.png", "y/a/3.png", "y/b/4.png", "y/5.png"}, Options{ClassLevel: 2}, "a b", 4, []string{"1 picture is left out: not in a class folder"}},
		{"one of them left out", []string{"train/a/1.png", "train/b/2.png", "shots/3.png"}, Options{Exclude: []string{"shots/*"}}, "a b", 2, []string{"folders in train"}},
		{"a class that is left out", []string{"a/1.png", "b/2.png", "c/3.JPG"}, Options{Include: []string{"*.png"}}, "a b", 2, []string{"class c has no pictures: 1 file is left out, as c/3.JPG: matches no include"}},
		{"a class of notes", []string{"a/1.png", "b/2.png", "c/notes.xml"}, Options{}, "a b", 2, []string{"class c has no pictures"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, c.files...)
			for name := range files {
				if strings.HasSuffix(name, ".xml") {
					files[name] = []byte("<annotation/>")
				}
				if strings.HasSuffix(name, "LICENSE") {
					files[name] = nil
				}
			}
			c.o.Path = write(t, files)
			ix := mustScan(t, c.o)
			if got := strings.Join(ix.Classes, " "); got != c.classes || len(ix.Samples) != c.samples {
				t.Errorf("classes %q with %d pictures, want %q with %d", got, len(ix.Samples), c.classes, c.samples)
			}
			wantNotes(t, ix.Notes, c.notes)
		})
	}
}

func wantNotes(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("notes %q, want %d that speak of %q", got, len(want), want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("note %q does not speak of %q", got[i], want[i])
		}
	}
}

func TestUnclearLayouts(t *testing.T) {
	for _, c := range []struct {
		name  string
		files []string
		words []string
	}{
		{"the same folders in each", []string{"x/a/1.png", "x/b/2.png", "y/a/3.png", "y/b/4.png"}, []string{"x, y", "a, b"}},
		{"a split beside other pictures", []string{"train/a/1.png", "train/b/2.png", "shots/3.png"}, []string{"shots, train", "a, b"}},
		{"pictures and masks", []string{"a/images/1.png", "a/masks/2.png", "b/images/3.png", "b/masks/4.png"}, []string{"a, b", "images, masks"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Scan(context.Background(), Options{Path: write(t, pictures(t, c.files...))})
			wantBadInput(t, err, append(c.words, "not clear which folders are the classes")...)
			if hint := hintOf(t, err); !strings.Contains(hint, "dataset.class_level: 1") || !strings.Contains(hint, "dataset.class_level: 2") {
				t.Errorf("hint %q names no choice", hint)
			}
		})
	}
	_, err := Scan(context.Background(), Options{Path: write(t, pictures(t, "a/1.png", "b/2.png")), ClassLevel: -1})
	wantBadInput(t, err, "class_level is -1")
}

// An empty folder is no class, and that is said.
func TestEmptyClass(t *testing.T) {
	files := pictures(t, "a/1.png", "b/2.png")
	files["c/.keep"] = nil
	wantNotes(t, mustScan(t, Options{Path: write(t, files)}).Notes, []string{"the folder c is no class"})
}
