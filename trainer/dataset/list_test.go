package dataset

import (
	"bufio"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// TestLists: every form of list gives the same samples.
func TestLists(t *testing.T) {
	want := []string{"a b.png cat", "sub/c,d.png dog", "sub/e.png cat"}
	for _, c := range []struct{ name, file, list string }{
		{"text, with spaces in names", "l.txt", "a b.png cat\nsub/c,d.png dog\n\nsub/e.png   cat\n"},
		{"text of any ending, tabs, Windows line ends", "l.lst", "a b.png\tcat\r\nsub/c,d.png\tdog\r\nsub/e.png\tcat"},
		{"text with a byte-order mark", "l.txt", byteOrderMark + "a b.png cat\nsub/c,d.png dog\nsub/e.png cat\n"},
		{"comma", "l.csv", "a b.png,cat\n\"sub/c,d.png\",dog\nsub/e.png,cat\n"},
		{"comma, first line quoted", "l.csv", "\"sub/c,d.png\",dog\na b.png,cat\nsub/e.png,cat\n"},
		{"semicolon", "l.csv", "a b.png;cat\nsub/c,d.png;dog\nsub/e.png; cat \n"},
		{"semicolon, after a quoted name with commas", "l.csv", "\"sub/c,d.png\";dog\na b.png;cat\nsub/e.png;cat\n"},
		{"tab", "l.tsv", "sub/c,d.png\tdog\na b.png\tcat\nsub/e.png\tcat\n"},
		{"header, other columns, spreadsheet's mark", "l.CSV", byteOrderMark + "id,Label, File\n1,cat,a b.png\n2,dog,\"sub/c,d.png\"\n3,cat,sub/e.png\n"},
		{"JSON lines", "l.jsonl", `{"file": "a b.png", "label": "cat"}` + "\n\n" + `{"label": "dog", "file": "sub/c,d.png", "more": [1]}` + "\n" + `{"file": "./sub//e.png", "label": "cat"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, "a b.png", "sub/c,d.png", "sub/e.png", "not listed.png")
			files[c.file] = []byte(c.list)
			wantStrings(t, "samples", labelled(mustScan(t, Options{Path: filepath.Join(write(t, files), c.file)})), want)
		})
	}
}

// TestListElsewhere: a list's pictures may be in another folder.
func TestListElsewhere(t *testing.T) {
	list := filepath.Join(write(t, map[string][]byte{"l.txt": []byte("x/1.png a\n2.png b\n")}), "l.txt")
	root := write(t, pictures(t, "x/1.png", "2.png"))
	ix := mustScan(t, Options{Path: list, Root: root})
	wantStrings(t, "samples", labelled(ix), []string{"2.png b", "x/1.png a"})
	if ix.Root != root {
		t.Errorf("root %s, want %s", ix.Root, root)
	}
	_, err := Scan(context.Background(), Options{Path: list})
	wantBadInput(t, err, list+":2:", "2.png", "no such file")
}

func TestListErrors(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	for _, c := range []struct {
		name, file, list string
		words            []string
	}{
		{"empty", "l.txt", "\n \n", []string{"l.txt: ", "empty"}},
		{"only a header", "l.csv", "file,label\n", []string{"l.csv: ", "empty"}},
		{"no label", "l.txt", "1.png a\n2.png\n", []string{"l.txt:2:", "2.png", "no label"}},
		{"one column", "l.csv", "1.png,a\n2.png\n", []string{"l.csv:2:", "1 columns"}},
		{"empty name", "l.csv", "1.png,a\n ,b\n", []string{"l.csv:2:", "empty"}},
		{"empty label", "l.csv", "1.png,a\n2.png, \n", []string{"l.csv:2:", "empty"}},
		{"stray quote", "l.csv", "1.png,a\n2\"x.png,b\n", []string{"l.csv:2:", "bare"}},
		{"not JSON", "l.jsonl", "{\"file\":\"1.png\",\"label\":\"a\"}\nfile\n", []string{"l.jsonl:2:", "invalid"}},
		{"two objects in a line", "l.jsonl", `{"file":"1.png","label":"a"} {"file":"2.png","label":"b"}`, []string{"l.jsonl:1:", "more than one"}},
		{"a label that is no name", "l.jsonl", `{"file":"1.png","label":[1]}`, []string{"l.jsonl:1:", "label"}},
		{"a line without end", "l.jsonl", "{\"file\":\"1.png\",\"label\":\"a\"}\n" + long, []string{"l.jsonl:2:", "too long"}},
		{"a text line without end", "l.txt", "1.png a\n" + long, []string{"l.txt:2:", "too long"}},
		{"missing file", "l.txt", "1.png a\n9.png b\n", []string{"l.txt:2:", "9.png", "no such file"}},
		{"twice", "l.txt", "1.png a\n2.png b\n./1.png a\n", []string{"l.txt:3:", "1.png", "line 1"}},
		{"two labels", "l.txt", "1.png a\n2.png b\n1.png b\n", []string{"l.txt:3:", "1.png", "labelled b", "and a in line 1"}},
		{"above the root", "l.txt", "1.png a\n../2.png b\n", []string{"l.txt:2:", "../2.png", "outside"}},
		{"absolute", "l.txt", "1.png a\n/etc/passwd b\n", []string{"l.txt:2:", "/etc/passwd", "outside"}},
		{"one class", "l.txt", "1.png a\n2.png a\n", []string{"one class"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := pictures(t, "1.png", "2.png")
			files[c.file] = []byte(c.list)
			_, err := Scan(context.Background(), Options{Path: filepath.Join(write(t, files), c.file)})
			wantBadInput(t, err, c.words...)
		})
	}
}

// TestClassOrder: labels that are numbers count, others are sorted by name.
func TestClassOrder(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"10 9 1", "1 9 10"}, {"1 -1 0", "-1 0 1"}, {"10 9 x", "10 9 x"}, {"1.5 1 01", "01 1 1.5"}, {"b a", "a b"}, {"2 nan 10", "10 2 nan"},
	} {
		got := strings.Fields(c.in)
		sortClasses(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: sorted as %v, want %s", c.in, got, c.want)
		}
	}
}

// TestJSONNumbersAsLabels keeps them as they are written.
func TestJSONNumbersAsLabels(t *testing.T) {
	files := pictures(t, "1.png", "2.png")
	files["l.jsonl"] = []byte("{\"file\":\"1.png\",\"label\":10000000}\n{\"file\":\"2.png\",\"label\":9}\n")
	ix := mustScan(t, Options{Path: filepath.Join(write(t, files), "l.jsonl")})
	if !slices.Equal(ix.Classes, []string{"9", "10000000"}) {
		t.Errorf("classes %v", ix.Classes)
	}
}

func foldFiles(t testing.TB, files map[string]string) string {
	bytes := map[string][]byte{}
	for name, text := range files {
		bytes[name] = []byte(text)
	}
	return write(t, bytes)
}

// fourSamples is a data set of a/1.png, a/2.png, b/2.png and b/3.png.
func fourSamples(t testing.TB) *Index {
	return mustScan(t, Options{Path: write(t, pictures(t, "a/1.png", "a/2.png", "b/2.png", "b/3.png"))})
}

func TestReadFolds(t *testing.T) {
	dir := foldFiles(t, map[string]string{
		"test10/train.txt": "1.png a\nb/2.png b\n", "test10/test.txt": "3.png b\n",
		"test2/train.txt": "elsewhere/3.png b\n", "test2/test.txt": "b/2.png b\n",
		"readme.txt": "not a fold", "other/train.txt": "nor this",
	})
	folds, err := ReadFolds(dir, fourSamples(t))
	if err != nil {
		t.Fatal(err)
	}
	want := "[{test2 [3] [2]} {test10 [0 2] [3]}]"
	if got := fmt.Sprint(folds); got != want {
		t.Errorf("folds %s, want %s", got, want)
	}
}

func TestReadFoldsErrors(t *testing.T) {
	for _, c := range []struct {
		name, train, test string
		words             []string
	}{
		{"unknown picture", "1.png a\n7.png a\n", "3.png b\n", []string{"train.txt:2:", "7.png", "no picture"}},
		{"ambiguous name", "2.png a\n", "3.png b\n", []string{"train.txt:1:", "2 pictures named 2.png", "a/2.png", "b/2.png"}},
		{"contradicting label", "1.png b\n", "3.png b\n", []string{"train.txt:1:", "labelled b", "a in the data set"}},
		{"in train and test", "1.png a\n3.png b\n", "a/1.png a\n", []string{"test.txt:1:", "a/1.png", "train.txt:1"}},
		{"twice", "1.png a\na/1.png a\n", "3.png b\n", []string{"train.txt:2:", "train.txt:1"}},
		{"empty", "\n", "3.png b\n", []string{"train.txt: ", "empty"}},
		{"no label", "1.png\n", "3.png b\n", []string{"train.txt:1:", "no label"}},
		{"class that is not trained", "1.png a\n", "a/2.png a\n3.png b\n", []string{"test.txt:2:", "class b", "no picture"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := foldFiles(t, map[string]string{"test1/train.txt": c.train, "test1/test.txt": c.test})
			_, err := ReadFolds(dir, fourSamples(t))
			wantBadInput(t, err, c.words...)
		})
	}
	_, err := ReadFolds(foldFiles(t, map[string]string{"test1/train.txt": "1.png a\n"}), fourSamples(t))
	wantBadInput(t, err, "test.txt", "missing")
	_, err = ReadFolds(t.TempDir(), fourSamples(t))
	wantBadInput(t, err, "no folds")
	_, err = ReadFolds(filepath.Join(t.TempDir(), "nowhere"), fourSamples(t))
	wantBadInput(t, err, "no such folder")
}

// TestDeepSentFolds reads the published folds of three agreement levels, with
// drawn stand-ins for the pictures: each picture is tested on exactly once.
func TestDeepSentFolds(t *testing.T) {
	testenv.Daily(t)
	root := testenv.Data(t, "deepsent")
	for _, level := range []string{"three_agree", "four_agree", "five_agree"} {
		t.Run(level, func(t *testing.T) {
			dir := filepath.Join(root, level)
			ix := standIns(t, dir)
			folds, err := ReadFolds(dir, ix)
			if err != nil {
				t.Fatal(err)
			}
			tested := make([]int, len(ix.Samples))
			for i, f := range folds {
				if f.Name != fmt.Sprintf("test%d", i+1) || len(f.Train) == 0 {
					t.Errorf("fold %d is %s with %d pictures to train on", i, f.Name, len(f.Train))
				}
				for _, s := range f.Test {
					tested[s]++
				}
				if both := len(f.Train) + len(f.Test); both != len(ix.Samples) {
					t.Errorf("%s: %d pictures of %d", f.Name, both, len(ix.Samples))
				}
			}
			if len(folds) != 5 || slices.Min(tested) != 1 || slices.Max(tested) != 1 {
				t.Errorf("%d folds, pictures are tested on %d to %d times", len(folds), slices.Min(tested), slices.Max(tested))
			}
		})
	}
}

// standIns lists a drawn picture for every file that a level's lists name.
func standIns(t *testing.T, dir string) *Index {
	t.Helper()
	files := map[string][]byte{}
	var list strings.Builder
	for _, side := range []string{"train.txt", "test.txt"} {
		lines := bufio.NewScanner(strings.NewReader(readText(t, filepath.Join(dir, "test1", side))))
		for lines.Scan() {
			fmt.Fprintln(&list, lines.Text())
			files[strings.Fields(lines.Text())[0]] = picture(t, len(files))
		}
	}
	files["list.txt"] = []byte(list.String())
	return mustScan(t, Options{Path: filepath.Join(write(t, files), "list.txt")})
}
