package dataset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"
)

func utf16Of(t *testing.T, order unicode.Endianness, text string) string {
	t.Helper()
	out, err := unicode.UTF16(order, unicode.UseBOM).NewEncoder().String(text)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFormsOfLists: what other programs write gives the same samples, and what was
// decided is noted.
func TestFormsOfLists(t *testing.T) {
	want := []string{"i/1.png cat", "i/2.png dog", "i/3.png cat"}
	for _, c := range []struct {
		name, file, list string
		notes            []string
	}{
		{"two columns of other names", "l.csv", "image,diagnosis\ni/1.png,cat\ni/2.png,dog\ni/3.png,cat\n", nil},
		{"two columns, the label first", "l.csv", "class,photo\ncat,i/1.png\ndog,i/2.png\ncat,i/3.png\n", nil},
		{"two columns of unknown names", "l.csv", "a,b\ni/1.png,cat\ni/2.png,dog\ni/3.png,cat\n", []string{"line 1 (a, b) is taken for a header"}},
		{"names that others use", "l.csv", "Image Path,Category\ni/1.png,cat\ni/2.png,dog\ni/3.png,cat\n", nil},
		{
			"columns that are not read", "l.csv", ",patient,file_name,split,class_name\n0,p0,i/1.png,train,cat\n1,p1,i/2.png,test,dog\n2,p0,i/3.png,train,cat\n",
			[]string{"columns that are not read: patient, split: cross-validation makes its own"},
		},
		{"one-hot", "l.csv", "image,cat,dog\ni/1.png,1,0\ni/2.png,0.0,1.0\ni/3.png,1,0\n", []string{"one-hot labels"}},
		{"one-hot with numbers of rows", "l.csv", ",photo,cat,dog\n7,i/1.png,1,0\n8,i/2.png,0,1\n9,i/3.png,1,0\n", []string{"one-hot labels"}},
		{"a header in a text", "l.txt", "filename label\ni/1.png cat\ni/2.png dog\ni/3.png cat\n", nil},
		{"Hugging Face", "metadata.jsonl", `{"file_name":"i/1.png","label":"cat"}` + "\n" + `{"file_name":"i/2.png","label":"dog"}` + "\n" + `{"file_name":"i/3.png","label":"cat"}`, nil},
		{"Hugging Face's CSV", "metadata.csv", "file_name,label\ni/1.png,cat\ni/2.png,dog\ni/3.png,cat\n", nil},
		{"a JSON array", "l.json", `[{"path":"i/1.png","class":"cat","id":1},` + "\n" + `{"path":"i/2.png","class":"dog"}, {"path":"i/3.png","class":"cat"}]` + "\n", []string{"not read: id"}},
		{"JSON lines of another ending", "l.json", `{"file":"i/1.png","label":"cat"}` + "\n" + `{"file":"i/2.png","label":"dog"}` + "\n" + `{"file":"i/3.png","label":"cat"}`, nil},
		{"im2rec", "l.lst", "0\tcat\ti/1.png\n1\tdog\ti/2.png\n2\tcat\ti/3.png\n", nil},
		{"backslashes", "l.csv", "file,label\ni\\1.png,cat\n.\\i\\2.png,dog\ni\\3.png,cat\n", nil},
		{"backslashes without a header", "l.txt", "i\\1.png cat\ni\\2.png dog\ni\\3.png cat\n", nil},
		{"UTF-16, little-endian", "l.csv", utf16Of(t, unicode.LittleEndian, "file,label\r\ni/1.png,cat\r\ni/2.png,dog\r\ni/3.png,cat\r\n"), nil},
		{"UTF-16, big-endian", "l.txt", utf16Of(t, unicode.BigEndian, "i/1.png cat\ni/2.png dog\ni/3.png cat\n"), nil},
		{"absolute names", "l.csv", "file,label\nROOT/i/1.png,cat\nROOT/i/2.png,dog\nREAL/i/3.png,cat\n", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, "i/1.png", "i/2.png", "i/3.png")
			real := write(t, files)
			root := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(real, root); err != nil {
				t.Fatal(err)
			}
			list := strings.NewReplacer("ROOT", root, "REAL", real).Replace(c.list)
			if err := os.WriteFile(filepath.Join(real, c.file), []byte(list), 0o644); err != nil {
				t.Fatal(err)
			}
			ix := mustScan(t, Options{Path: filepath.Join(root, c.file)})
			wantStrings(t, "samples", labelled(ix), want)
			wantNotes(t, ix.Notes, c.notes)
		})
	}
}

// TestRecordLists: the numbers that im2rec writes as 0.000000 are 0.
func TestRecordLists(t *testing.T) {
	files := pictures(t, "1.png", "2.png")
	files["l.lst"] = []byte("4\t1.000000\t1.png\n9\t0.000000\t2.png\n")
	wantStrings(t, "samples", labelled(mustScan(t, Options{Path: filepath.Join(write(t, files), "l.lst")})), []string{"1.png 1", "2.png 0"})
}

// TestListsThatAreRefused by the name of what is not read: a label that is guessed
// would be trained on in silence.
func TestListsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, file, list string
		words            []string
	}{
		{"no header", "l.csv", "1.png,p0,a\n2.png,p1,b\n", []string{"l.csv:1:", "3 columns", "first line"}},
		{"a third column later", "l.csv", "1.png,a\n2.png,b,c\n", []string{"l.csv:2:", "3 columns"}},
		{"no column of a label", "l.csv", "image,patient,diagnosis\n1.png,p0,a\n2.png,p1,b\n", []string{"l.csv:1:", "image, patient, diagnosis", "label"}},
		{"no column of a file", "l.csv", "id,patient,label\n1.png,p0,a\n2.png,p1,b\n", []string{"l.csv:1:", "id, patient, label", "file"}},
		{"two columns of a label", "l.csv", "file,class,category\n1.png,a,x\n2.png,b,y\n", []string{"l.csv:1:", "class and category"}},
		{"group", "l.csv", "file,label,group\n1.png,a,1\n2.png,b,1\n", []string{"l.csv:1:", "column group is not read"}},
		{"fold", "l.csv", "file,label,fold\n1.png,a,1\n2.png,b,1\n", []string{"l.csv:1:", "column fold is not read"}},
		{"weight", "l.csv", "file,label,weight\n1.png,a,1\n2.png,b,1\n", []string{"l.csv:1:", "column weight is not read"}},
		{"group in JSON", "l.jsonl", `{"file":"1.png","label":"a","group_id":1}`, []string{"l.jsonl:1:", "column group_id is not read"}},
		{"several labels", "l.csv", "image,cat,dog\n1.png,1,0\n2.png,1,1\n", []string{"l.csv:3:", "2 of them are 1"}},
		{"no label at all", "l.jsonl", `{"file_name":"1.png","text":"a cat"}`, []string{"l.jsonl:1:", "file_name, text", "label"}},
		{"an object", "l.json", "{\n\"1.png\": \"a\"\n}\n", []string{"l.json:1:"}},
		{"an array that is cut off", "l.json", `[{"file":"1.png","label":"a"},`, []string{"l.json:1:"}},
		{"several labels of im2rec", "l.lst", "0\t1\t2\t1.png\n", []string{"l.lst:1:", "several labels"}},
		{"commas in a text", "l.txt", "1.png, a\n2.png, b\n", []string{"l.txt:1:", "separator"}},
		{"UTF-16 without a mark", "l.csv", "1\x00.\x00p\x00n\x00g\x00", []string{"l.csv: ", "zero bytes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, "1.png", "2.png")
			files[c.file] = []byte(c.list)
			_, err := Scan(context.Background(), Options{Path: filepath.Join(write(t, files), c.file)})
			wantBadInput(t, err, c.words...)
		})
	}
}

// TestGroupsWithFolds: a list may have groups where the folds are given.
func TestGroupsWithFolds(t *testing.T) {
	files := pictures(t, "1.png", "2.png")
	files["l.csv"] = []byte("file,label,group\n1.png,a,1\n2.png,b,1\n")
	dir := write(t, files)
	wantNotes(t, mustScan(t, Options{Path: filepath.Join(dir, "l.csv"), Folds: dir}).Notes, []string{"not read: group"})
}

// TestMissingListedFile: the hint says what names are relative to.
func TestMissingListedFile(t *testing.T) {
	dir := write(t, map[string][]byte{"l.csv": []byte("file,label\n1.png,a\n2.png,b\n")})
	_, err := Scan(context.Background(), Options{Path: filepath.Join(dir, "l.csv")})
	wantBadInput(t, err, "l.csv:2: 1.png: there is no such file", "1 more picture")
	if hint := hintOf(t, err); !strings.Contains(hint, dir) || !strings.Contains(hint, "dataset.root") {
		t.Errorf("hint %q", hint)
	}
}
