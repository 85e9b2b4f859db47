package dataset

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// FoldFiles is one explicit fold: indices into the samples of the data set.
type FoldFiles struct {
	Name        string
	Train, Test []int
}

// ReadFolds reads explicit folds: the folders test* of dir, in natural order
// (test2 before test10), each with a train.txt and a test.txt of lines of a file
// name, a space and a label. Files are found by their names relative to the data
// set, or by their base names where these are unique.
func ReadFolds(dir string, ix *Index) ([]FoldFiles, error) {
	names, err := foldNames(dir)
	if err != nil {
		return nil, err
	}
	find := newFinder(ix)
	var folds []FoldFiles
	for _, name := range names {
		f := FoldFiles{Name: name}
		in := map[int]string{} // where a sample was seen in this fold
		if f.Train, err = find.list(filepath.Join(dir, name, foldLists[0]), in, nil); err != nil {
			return nil, err
		}
		trained := &side{classes: map[int]bool{}, content: map[string]int{}}
		for _, i := range f.Train {
			trained.classes[ix.Samples[i].Label] = true
			trained.content[ix.Samples[i].SHA256] = i
		}
		if f.Test, err = find.list(filepath.Join(dir, name, foldLists[1]), in, trained); err != nil {
			return nil, err
		}
		folds = append(folds, f)
	}
	return folds, nil
}

// foldLists are the lists of a fold.
var foldLists = [2]string{"train.txt", "test.txt"}

func foldNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &Error{File: dir, Problem: "there is no such folder", hint: "a folder with test1/train.txt, test1/test.txt, test2/..."}
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), "test") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, &Error{File: dir, Problem: "there are no folds in it", hint: "a folder with test1/train.txt, test1/test.txt, test2/..."}
	}
	slices.SortFunc(names, func(a, b string) int {
		x, errX := strconv.Atoi(strings.TrimPrefix(a, "test"))
		y, errY := strconv.Atoi(strings.TrimPrefix(b, "test"))
		if errX == nil && errY == nil && x != y {
			return x - y
		}
		return strings.Compare(a, b)
	})
	return names, nil
}

// finder knows the samples of a data set by name.
type finder struct {
	ix     *Index
	byFile map[string]int
	byBase map[string][]int
}

func newFinder(ix *Index) *finder {
	f := &finder{ix: ix, byFile: map[string]int{}, byBase: map[string][]int{}}
	for i, s := range ix.Samples {
		f.byFile[s.File] = i
		base := baseName(s.File)
		f.byBase[base] = append(f.byBase[base], i)
	}
	return f
}

// baseName is a file's own name, in one form of Unicode.
func baseName(file string) string { return norm.NFC.String(path.Base(file)) }

// find returns the sample of a name, or says why it is none.
func (f *finder) find(name string) (sample int, problem string) {
	if i, ok := f.byFile[name]; ok {
		return i, ""
	}
	if i, ok := f.byFile[relativeTo(f.ix.Root, slashes(name))]; ok {
		return i, ""
	}
	switch same := f.byBase[baseName(slashes(name))]; len(same) {
	case 0:
		return 0, "the data set has no picture " + printable(name)
	case 1:
		return same[0], ""
	default:
		return 0, fmt.Sprintf("the data set has %d pictures named %s, as %s and %s", len(same), path.Base(name), f.ix.Samples[same[0]].File, f.ix.Samples[same[1]].File)
	}
}

// readFoldList reads the lines of one side of a fold.
func readFoldList(file string) ([]entry, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &Error{File: file, Problem: "the fold's list is missing", hint: "each fold has a train.txt and a test.txt"}
	}
	if data, err = plainText(file, data); err != nil {
		return nil, err
	}
	entries, err := parseText(file, data)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, &Error{File: file, Problem: "the list is empty", hint: "a fold needs pictures to train and to test on"}
	}
	for i := range entries {
		entries[i].class = norm.NFC.String(entries[i].class) // as those of the data set
	}
	return entries, nil
}

// side is what a fold trains on.
type side struct {
	classes map[int]bool
	content map[string]int // a sample by its SHA-256
}

// list reads one side of a fold. trained is the other one of test.txt, nil for
// train.txt.
func (f *finder) list(file string, seen map[int]string, trained *side) ([]int, error) {
	entries, err := readFoldList(file)
	if err != nil {
		return nil, err
	}
	var out []int
	for _, e := range entries {
		i, problem := f.find(e.file)
		if problem != "" {
			return nil, &Error{File: file, Line: e.line, Problem: problem, hint: "name pictures that dataset.path holds, relative to it; the file's own name does where it is the only one"}
		}
		if class := f.ix.Classes[f.ix.Samples[i].Label]; class != e.class {
			return nil, &Error{File: file, Line: e.line, Problem: fmt.Sprintf("%s is labelled %s here and %s in the data set", e.file, e.class, class), hint: "labels are class names as dataset inspect prints them"}
		}
		here := fmt.Sprintf("%s:%d", filepath.Base(file), e.line)
		if old, twice := seen[i]; twice {
			return nil, &Error{File: file, Line: e.line, Problem: fmt.Sprintf("%s stands in %s already", e.file, old), hint: "a picture may stand once in a fold, in train.txt or in test.txt"}
		}
		if trained != nil && !trained.classes[f.ix.Samples[i].Label] {
			return nil, &Error{File: file, Line: e.line, Problem: fmt.Sprintf("%s is of class %s, of which train.txt has no picture", e.file, e.class), hint: "train on every class that is tested, or correct the label"}
		}
		if copied, both := f.trainedOn(i, trained); both {
			return nil, &Error{File: file, Line: e.line, Problem: fmt.Sprintf("%s has the same content as %s in %s", e.file, f.ix.Samples[copied].File, seen[copied]), hint: "all copies of a picture go into train.txt, or all into test.txt"}
		}
		seen[i] = here
		out = append(out, i)
	}
	return out, nil
}

// trainedOn finds a copy of a sample among those that a fold trains on.
func (f *finder) trainedOn(sample int, trained *side) (other int, found bool) {
	if trained != nil {
		other, found = trained.content[f.ix.Samples[sample].SHA256]
	}
	return other, found
}
