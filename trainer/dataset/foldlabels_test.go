package dataset

import (
	"bufio"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// flat is a folder of pictures without class folders, and of folds that label
// them, as DeepSent's authors ship theirs.
func flat(t testing.TB, names []string, lists map[string]string) (dir, folds string) {
	files := pictures(t, names...)
	for name, text := range lists {
		files["agree/"+name] = []byte(text)
	}
	dir = write(t, files)
	return dir, filepath.Join(dir, "agree")
}

func TestLabelsFromTheFolds(t *testing.T) {
	dir, folds := flat(t, []string{"images/1.png", "images/2.png", "3.png", "4.png", "5.png", "6.png"}, map[string]string{
		"test1/train.txt": "1.png 0\n2.png 1\n", "test1/test.txt": "3.png 1\n4.png 0\n",
		"test2/train.txt": "3.png 1\n4.png 0\n", "test2/test.txt": "1.png 0\nimages/2.png 1\n",
	})
	ix := mustScan(t, Options{Path: dir, Folds: folds})
	got := ""
	for _, s := range ix.Samples {
		got += fmt.Sprintf("%s %s; ", s.File, ix.Classes[s.Label])
	}
	if want := "3.png 1; 4.png 0; images/1.png 0; images/2.png 1; "; got != want {
		t.Errorf("samples %s, want %s", got, want)
	}
	left := fmt.Sprint(ix.LeftOut)
	if !strings.Contains(left, "{5.png no fold's list names it}") || !strings.Contains(left, "{agree/test1/test.txt a list}") || len(ix.LeftOut) != 6 {
		t.Errorf("left out: %s", left)
	}
	if note := strings.Join(ix.Notes, ""); !strings.Contains(note, "name 4 pictures; 2 more are left out") {
		t.Errorf("note %q", note)
	}
	f, err := ReadFolds(folds, ix)
	if err != nil || fmt.Sprint(f) != "[{test1 [2 3] [0 1]} {test2 [0 1] [2 3]}]" {
		t.Errorf("folds %v, %v", f, err)
	}
	// Class folders count as before.
	files := pictures(t, "a/1.png", "b/2.png", "b/3.png")
	files["folds/test1/train.txt"], files["folds/test1/test.txt"] = []byte("1.png a\n2.png b\n"), []byte("3.png b\n")
	dir = write(t, files)
	if ix := mustScan(t, Options{Path: dir, Folds: filepath.Join(dir, "folds")}); fmt.Sprint(ix.Classes) != "[a b]" || len(ix.Samples) != 3 {
		t.Errorf("classes %v, %d samples", ix.Classes, len(ix.Samples))
	}
}

func TestLabelsFromTheFoldsErrors(t *testing.T) {
	for _, c := range []struct {
		name, train, test string
		words             []string
	}{
		{"missing pictures", "1.png 0\n7.png 1\n2.png 1\n8.png 0\n", "3.png 1\n", []string{"train.txt:2:", "2 of the 5 pictures", "7.png, 8.png"}},
		{"many missing", "a 0\nb 0\nc 0\nd 0\ne 0\nf 0\n1.png 1\n", "3.png 1\n", []string{"train.txt:1:", "6 of the 8", "a, b, c, d, e, ..."}},
		{"two labels", "1.png 0\n2.png 1\n", "1.png 1\n", []string{"test.txt:1:", "labelled 1 here and 0 in", "train.txt:1"}},
		{"label outside the range", "1.png 0\n2.png 1\n", "3.png 7\n", []string{"test.txt:1:", "label 7", "outside of the range"}},
		{"negative label", "1.png 0\n2.png -1\n", "3.png 1\n", []string{"train.txt:2:", "label -1"}},
		{"ambiguous name", "4.png 0\n2.png 1\n", "3.png 1\n", []string{"train.txt:1:", "2 pictures named 4.png", "x/4.png", "y/4.png"}},
		{"empty list", "1.png 0\n", "\n", []string{"test.txt: ", "empty"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, folds := flat(t, []string{"1.png", "2.png", "3.png", "x/4.png", "y/4.png"}, map[string]string{"test1/train.txt": c.train, "test1/test.txt": c.test})
			_, err := Scan(t.Context(), Options{Path: dir, Folds: folds})
			wantBadInput(t, err, c.words...)
		})
	}
}

// TestDeepSent takes the published folds with drawn stand-ins for the pictures,
// in one folder as they are shipped, and works out what always answering
// "positive" scores: the figures are computed from the lists, mean ± sample
// standard deviation over the five folds.
func TestDeepSent(t *testing.T) {
	root := testenv.Data(t, "deepsent")
	for _, level := range []struct {
		name      string
		pictures  int
		baseline  string
		positives string
	}{
		{"five_agree", 880, "0.658 ± 0.040", "[115 113 124 121 106]"},
		{"four_agree", 1115, "0.617 ± 0.039", "[136 133 152 129 138]"},
		{"three_agree", 1265, "0.606 ± 0.015", "[159 150 153 155 150]"},
	} {
		t.Run(level.name, func(t *testing.T) {
			dir := filepath.Join(root, level.name)
			files := pictures(t, "surplus.png")
			for _, side := range foldLists {
				lines := bufio.NewScanner(strings.NewReader(readText(t, filepath.Join(dir, "test1", side))))
				for lines.Scan() {
					files[strings.Fields(lines.Text())[0]] = picture(t, len(files))
				}
			}
			ix := mustScan(t, Options{Path: write(t, files), Folds: dir})
			if len(ix.Samples) != level.pictures || len(ix.LeftOut) != 1 {
				t.Errorf("%d pictures, %d left out", len(ix.Samples), len(ix.LeftOut))
			}
			folds, err := ReadFolds(dir, ix)
			if err != nil || len(folds) != 5 {
				t.Fatal(len(folds), err)
			}
			var positives []int
			sum, squares := 0.0, 0.0
			for _, f := range folds {
				n := 0
				for _, i := range f.Test {
					if ix.Classes[ix.Samples[i].Label] == "1" {
						n++
					}
				}
				positives = append(positives, n)
				x := float64(n) / float64(len(f.Test))
				sum += x
				squares += x * x
			}
			mean := sum / 5
			got := fmt.Sprintf("%.3f ± %.3f", mean, math.Sqrt((squares-5*mean*mean)/4))
			if got != level.baseline || fmt.Sprint(positives) != level.positives {
				t.Errorf("always positive: %s with %v, want %s with %s", got, positives, level.baseline, level.positives)
			}
		})
	}
}
