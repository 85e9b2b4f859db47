package dataset

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// Two labels of the same bytes are an error that names both files, wherever the
// labels come from.
func TestCopiesWithTwoLabels(t *testing.T) {
	files := pictures(t, "a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/5.png")
	files["b/copy.png"], files["b/again.png"] = files["a/1.png"], files["a/2.png"]
	files["l.csv"] = []byte("file,label\na/1.png,x\nb/3.png,y\nb/copy.png,y\n")
	files["folds/test1/train.txt"], files["folds/test1/test.txt"] = []byte("a/1.png x\nb/3.png y\n"), []byte("a/2.png x\nb/copy.png y\n")
	dir := write(t, files)
	_, err := Scan(context.Background(), Options{Path: dir})
	wantBadInput(t, err, "a/1.png (a) and b/copy.png (b)", "a/2.png (a) and b/again.png (b)")
	_, err = Scan(context.Background(), Options{Path: filepath.Join(dir, "l.csv")})
	wantBadInput(t, err, "a/1.png (x) and b/copy.png (y)")
	_, err = Scan(context.Background(), Options{Path: dir, Folds: filepath.Join(dir, "folds")})
	wantBadInput(t, err, "a/1.png (x) and b/copy.png (y)")
	mustScan(t, Options{Path: dir, Exclude: []string{"b/copy.png", "b/again.png"}})
}

func TestCopies(t *testing.T) {
	files := pictures(t, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
	files["a/3.png"], files["a/0.png"], files["b/3.png"] = files["a/1.png"], files["a/1.png"], files["b/2.png"]
	ix := mustScan(t, Options{Path: write(t, files)})
	if got := fmt.Sprint(ix.Copies(), ix.Duplicates()); got != "[0 0 2 0 4 5 5] 3" {
		t.Errorf("copies %s", got)
	}
	wantNotes(t, ix.Notes, []string{"3 pictures are copies of another one"})

	for _, c := range []struct {
		name, train, test string
		words             []string
	}{
		{"on both sides", "a/0.png a\na/2.png a\nb/1.png b\n", "b/2.png b\na/3.png a\n", []string{"test.txt:2:", "a/3.png has the same content as a/0.png in train.txt:1"}},
		{"on one side", "a/0.png a\na/1.png a\na/3.png a\nb/1.png b\n", "a/2.png a\nb/2.png b\nb/3.png b\n", nil},
	} {
		_, err := ReadFolds(foldFiles(t, map[string]string{"test1/train.txt": c.train, "test1/test.txt": c.test}), ix)
		if c.words == nil && err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if c.words != nil {
			wantBadInput(t, err, c.words...)
		}
	}
}
