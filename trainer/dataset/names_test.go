package dataset

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
)

// The letters é in both forms of Unicode.
const composed, decomposed = "caf\u00e9", "cafe\u0301"

// Names that are not UTF-8 are refused with their bytes: in JSON several of them
// would become one.
func TestNamesThatAreNotUTF8(t *testing.T) {
	for name, files := range map[string][]string{
		"classes": {"\xea\xee\xf2/1.png", "\xef\xb8\xf1/2.png"}, "files": {"a/\xea\xee\xf2.png", "b/2.png"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, pictures(t, files...))
			_, err := Scan(context.Background(), Options{Path: dir})
			wantBadInput(t, err, `\xea\xee\xf2`, "not UTF-8")
		})
	}
	files := pictures(t, "a/1.png", "b/2.png", "b/\xff.png")
	mustScan(t, Options{Path: write(t, files), Exclude: []string{"b/\xff.png"}})

	files = pictures(t, "1.png", "2.png", "3.png")
	files["l.csv"] = []byte("file,label\n1.png,\xea\xee\xf2\n2.png,b\n3.png,b\n")
	list := filepath.Join(write(t, files), "l.csv")
	_, err := Scan(context.Background(), Options{Path: list})
	wantBadInput(t, err, list+":2:", `"\xea\xee\xf2" is not UTF-8`)
}

// One class name in two forms of Unicode is one class, whether folders, a list or
// the folds' lists have it.
func TestNamesInTwoFormsOfUnicode(t *testing.T) {
	files := pictures(t, composed+"/1.png", decomposed+"/2.png", "tea/3.png", "tea/4.png")
	ix := mustScan(t, Options{Path: write(t, files)})
	if got := strings.Join(ix.Classes, " "); got != composed+" tea" {
		t.Errorf("classes %+q", got)
	}
	wantNotes(t, ix.Notes, []string{`"cafe\u0301" and "caf\u00e9" are the same letters`})

	folds, err := ReadFolds(foldFiles(t, map[string]string{
		"test1/train.txt": composed + "/1.png " + decomposed + "\n3.png tea\n", "test1/test.txt": "2.png " + decomposed + "\n4.png tea\n",
	}), ix)
	if err != nil || len(folds) != 1 {
		t.Errorf("folds %v, %v", folds, err)
	}

	files = pictures(t, decomposed+"1.png", composed+"2.png", "3.png")
	files["l.csv"] = []byte("file,label\n" + composed + "1.png," + composed + "\n" + decomposed + "2.png," + decomposed + "\n3.png,tea\n")
	ix = mustScan(t, Options{Path: filepath.Join(write(t, files), "l.csv")})
	wantStrings(t, "samples", labelled(ix), []string{"3.png tea", decomposed + "1.png " + composed, composed + "2.png " + composed})
}
