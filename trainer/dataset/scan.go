package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Options say which pictures make up a data set.
type Options struct {
	// Path is a folder of class folders or a list (CSV, TXT, JSONL).
	Path string
	// Root is the folder that a list's file names are relative to; empty: the
	// list's own.
	Root string
	// Folds is a folder of explicit folds (see ReadFolds). Where Path is a folder
	// without class folders of their labels, it holds the pictures that the lists
	// name, labelled as they say; others are left out.
	Folds string
	// Include and Exclude are globs over the file names relative to the root; *
	// also matches slashes, and a pattern may match the base name alone.
	Include, Exclude []string
	// OnBad is what a picture does that cannot be read: "error" (also ""), or
	// "skip": it is left out.
	OnBad string
}

// Scan lists a data set's pictures and decodes each, so that a broken one is
// found now and not in the middle of a training. The order of samples depends
// on the names alone.
//
// In a folder, each top-level folder is a class, whatever is below it; where all
// top-level folders are named like splits (train, val, test, ...) they are taken
// together and the folders below them are the classes, since cross-validation
// makes its own splits.
func Scan(ctx context.Context, o Options) (*Index, error) {
	if o.OnBad != "" && o.OnBad != "error" && o.OnBad != "skip" {
		return nil, &Error{Problem: fmt.Sprintf("on_bad is %q", o.OnBad), hint: "on_bad: error or on_bad: skip"}
	}
	info, err := os.Stat(o.Path)
	if err != nil {
		return nil, &Error{File: o.Path, Problem: "there is no such folder or list", hint: "give a folder of class folders, or a list of files and labels"}
	}
	var s *scan
	switch {
	case !info.IsDir():
		s, err = scanList(o)
	case o.Folds != "":
		s, err = scanWithFolds(o)
	default:
		s, err = scanFolder(o)
	}
	if err != nil {
		return nil, err
	}
	s.filter(o)
	if err := s.read(ctx, o.OnBad == "skip"); err != nil {
		return nil, err
	}
	return s.index(o)
}

// entry is a file that claims to be a picture of a class.
type entry struct {
	file, class string
	line        int // of a list
}

type scan struct {
	root    string
	list    string // the list's path; empty for folders
	entries []entry
	samples []Sample
	leftOut []LeftOut
	notes   []string
}

// splitNames are folders that hold parts of a data set, not classes.
var splitNames = []string{"train", "training", "val", "valid", "validation", "test", "testing"}

func scanFolder(o Options) (*scan, error) {
	s := &scan{root: o.Path}
	folders, err := topFolders(o.Path)
	if err != nil {
		return nil, err
	}
	splits := len(folders) > 0
	for _, f := range folders {
		splits = splits && slices.Contains(splitNames, strings.ToLower(f))
	}
	level := 0 // of the path that names the class
	if splits {
		level = 1
		s.notes = append(s.notes, fmt.Sprintf("the folders %s are taken together: cross-validation makes its own splits", strings.Join(folders, ", ")))
	}
	if err := s.walk("", level, nil); err != nil {
		return nil, err
	}
	if len(s.entries) == 0 {
		return nil, &Error{File: o.Path, Problem: "there are no class folders with pictures in it", hint: "put the pictures of each class into a folder named after it"}
	}
	return s, nil
}

// anyLevel has walk take all files, without a class.
const anyLevel = -1

// topFolders names the folders in a data set's folder, links to folders too.
func topFolders(dir string) ([]string, error) {
	top, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the data set's folder: %w", err)
	}
	var folders []string
	for _, e := range top {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err == nil && info.IsDir() && !hidden(e.Name()) {
			folders = append(folders, e.Name())
		}
	}
	return folders, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// walk visits what a folder holds, links included, since people keep data sets
// as links to where there is room. above are the folders on the way down: a
// link back to one of them would never end.
func (s *scan) walk(folder string, level int, above []fs.FileInfo) error {
	at := filepath.Join(s.root, filepath.FromSlash(folder))
	info, err := os.Stat(at)
	if err != nil {
		return fmt.Errorf("read the data set's folder: %w", err)
	}
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		s.leave(folder, "a link to a folder that it is in")
		return nil
	}
	content, err := os.ReadDir(at)
	if err != nil {
		return fmt.Errorf("read the data set's folder: %w", err)
	}
	above = append(slices.Clip(above), info)
	for _, e := range content {
		if err := s.visit(path.Join(folder, e.Name()), level, above); err != nil {
			return err
		}
	}
	return nil
}

// visit takes a file in, leaves it out, or walks a folder.
func (s *scan) visit(file string, level int, above []fs.FileInfo) error {
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(file)))
	parts := strings.Split(file, "/")
	switch {
	case err == nil && info.IsDir():
		if hidden(path.Base(file)) {
			return nil
		}
		return s.walk(file, level, above)
	case hidden(path.Base(file)):
		s.leave(file, "hidden file")
	case errors.Is(err, fs.ErrNotExist):
		s.leave(file, "a link to nothing")
	case err != nil:
		return fmt.Errorf("read the data set's folder: %w", err)
	case !info.Mode().IsRegular(): // reading a pipe would wait for ever
		s.leave(file, "not a regular file")
	case level == anyLevel:
		s.entries = append(s.entries, entry{file: file})
	case len(parts) < level+2:
		s.leave(file, "not in a class folder")
	default:
		s.entries = append(s.entries, entry{file: file, class: parts[level]})
	}
	return nil
}

func (s *scan) leave(file, reason string) { s.leftOut = append(s.leftOut, LeftOut{file, reason}) }

// filter applies the globs.
func (s *scan) filter(o Options) {
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool {
		reason := ""
		if len(o.Include) > 0 && !matchAny(o.Include, e.file) {
			reason = "matches no include pattern"
		} else if g := matching(o.Exclude, e.file); g != "" {
			reason = "excluded by " + g
		}
		if reason != "" {
			s.leave(e.file, reason)
		}
		return reason != ""
	})
	slices.SortFunc(s.entries, func(a, b entry) int { return strings.Compare(a.file, b.file) })
}

func matchAny(globs []string, file string) bool { return matching(globs, file) != "" }

// matching returns the first glob that matches the whole name or the base name.
func matching(globs []string, file string) string {
	for _, g := range globs {
		if globMatch(g, file) || globMatch(g, path.Base(file)) {
			return g
		}
	}
	return ""
}

// globMatch lets * stand for any text, slashes included, and ? for one letter;
// other characters stand for themselves, brackets too, since file names hold
// them. It is not surgery.Match, the glob of layer names: data sets know nothing
// of networks, and the import rules keep it so.
//
// After a mismatch only the last * needs to take one letter more, so that no
// pattern takes more than len(glob)*len(name) steps.
func globMatch(glob, name string) bool {
	g, n := []rune(glob), []rune(name)
	i, star, taken := 0, -1, 0 // place in g, the last * there, what it took of n
	for k := 0; k < len(n); {
		switch {
		case i < len(g) && g[i] == '*':
			star, taken = i, k
			i++
		case i < len(g) && (g[i] == '?' || g[i] == n[k]):
			i++
			k++
		case star >= 0:
			taken++
			i, k = star+1, taken
		default:
			return false
		}
	}
	for i < len(g) && g[i] == '*' {
		i++
	}
	return i == len(g)
}

// read decodes every picture, several at a time.
func (s *scan) read(ctx context.Context, skip bool) error {
	found := make([]Sample, len(s.entries))
	bad := make([]error, len(s.entries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, e := range s.entries {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			found[i], bad[i] = readSample(s.root, e.file)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	kept := s.entries[:0]
	for i, e := range s.entries {
		var not *notPicture
		switch {
		case bad[i] == nil:
			s.samples = append(s.samples, found[i])
			kept = append(kept, e)
		case skip, errors.As(bad[i], &not) && s.list == "": // folders hold notes and thumbnails' databases
			s.leave(e.file, bad[i].Error())
		default:
			return s.badPicture(e, bad[i])
		}
	}
	s.entries = kept
	return nil
}

func (s *scan) badPicture(e entry, err error) error {
	hint := "repair or remove the picture, or leave such pictures out with on_bad: skip"
	if s.list != "" {
		return &Error{File: s.list, Line: e.line, Problem: fmt.Sprintf("%s: %v", e.file, err), hint: hint}
	}
	return &Error{File: filepath.Join(s.root, filepath.FromSlash(e.file)), Problem: err.Error(), hint: hint}
}

func readSample(root, file string) (Sample, error) {
	name := filepath.Join(root, filepath.FromSlash(file))
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Sample{}, errors.New("there is no such file")
	}
	if err == nil && !info.Mode().IsRegular() {
		return Sample{}, errors.New("it is a folder or a device, not a file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Sample{}, fmt.Errorf("it cannot be read: %w", err)
	}
	img, format, err := decode(data)
	if err != nil {
		return Sample{}, err
	}
	sum := sha256.Sum256(data)
	size := img.Bounds().Size()
	return Sample{File: file, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Width: size.X, Height: size.Y, Format: format}, nil
}

// index numbers the classes and checks that there is something to learn.
func (s *scan) index(o Options) (*Index, error) {
	ix := &Index{Root: s.root, Samples: s.samples, LeftOut: s.leftOut, Notes: s.notes}
	labels := map[string]int{}
	for _, e := range s.entries {
		labels[e.class] = 0
	}
	ix.Classes = slices.Collect(maps.Keys(labels))
	sortClasses(ix.Classes)
	for label, class := range ix.Classes {
		labels[class] = label
	}
	for i, e := range s.entries {
		ix.Samples[i].Label = labels[e.class]
	}
	slices.SortFunc(ix.LeftOut, func(a, b LeftOut) int { return strings.Compare(a.File, b.File) })
	switch len(ix.Classes) {
	case 0:
		return nil, &Error{File: o.Path, Problem: fmt.Sprintf("no pictures are left; %d files are left out", len(ix.LeftOut)), hint: "check include and exclude; orchestrator dataset inspect says what is left out and why"}
	case 1:
		return nil, &Error{File: o.Path, Problem: fmt.Sprintf("all %d pictures are of one class, %s", len(ix.Samples), ix.Classes[0]), hint: "a classifier needs at least two classes"}
	}
	return ix, nil
}
