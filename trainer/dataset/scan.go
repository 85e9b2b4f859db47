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
	"golang.org/x/text/unicode/norm"
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
	// ClassLevel says which folders are the classes: 1 are those in Path, 2 those in
	// these; 0: as Scan finds.
	ClassLevel int
	// OnBad is what a picture does that cannot be read: "error" (also ""), or
	// "skip": it is left out.
	OnBad string
}

// Scan lists a data set's pictures and decodes each, so that a broken one is
// found now and not in the middle of a training. The order of samples depends
// on the names alone.
//
// In a folder, each top-level folder is a class, whatever is below it. Folders that
// are named like splits (train, val, test_set, ...) are taken together and the
// folders below them are the classes, since cross-validation makes its own splits;
// and a lone folder around the class folders is no class. Where either level may
// be the classes, it is an error that names ClassLevel. What was decided is in the
// notes.
func Scan(ctx context.Context, o Options) (*Index, error) {
	s, err := find(o)
	if err != nil {
		return nil, err
	}
	s.claim()
	s.filter(o)
	if err := s.checkText(); err != nil {
		return nil, err
	}
	if err := s.read(ctx, o.OnBad == "skip"); err != nil {
		return nil, err
	}
	return s.index(o)
}

// find names the files that claim to be pictures, and their classes.
func find(o Options) (*scan, error) {
	if o.OnBad != "" && o.OnBad != "error" && o.OnBad != "skip" {
		return nil, &Error{Problem: fmt.Sprintf("on_bad is %q", o.OnBad), hint: "on_bad: error or on_bad: skip"}
	}
	if o.ClassLevel < 0 {
		return nil, &Error{Problem: fmt.Sprintf("class_level is %d", o.ClassLevel), hint: "1: the folders in dataset.path are the classes, 2: those in these"}
	}
	info, err := os.Stat(o.Path)
	switch {
	case err != nil:
		return nil, &Error{File: o.Path, Problem: "there is no such folder or list", hint: "give a folder of class folders, or a list of files and labels"}
	case !info.IsDir() && o.ClassLevel > 0:
		return nil, &Error{File: o.Path, Problem: "class_level is set, but a list has its own labels", hint: "leave out class_level, or give the folder of the pictures"}
	case !info.IsDir():
		return scanList(o)
	case o.Folds != "" && o.ClassLevel == 0:
		return scanWithFolds(o)
	}
	return scanFolder(o)
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

	roots []string // folders whose subfolders are the classes
	split bool     // the roots are parts of the data set
	level int      // Options.ClassLevel
	any   bool     // files need no class: lists have it

	claimed map[string]claim // by class
}

func (s *scan) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func scanFolder(o Options) (*scan, error) {
	s := &scan{root: o.Path, level: o.ClassLevel, claimed: map[string]claim{}}
	if s.level == 0 {
		if err := s.layout(o, "", 0); err != nil {
			return nil, err
		}
		if err := s.dropUnlabelled(o); err != nil {
			return nil, err
		}
	}
	if err := s.walk("", nil); err != nil {
		return nil, err
	}
	if len(s.entries) == 0 {
		return nil, &Error{File: o.Path, Problem: "there are no class folders with pictures in it", hint: "put the pictures of each class into a folder named after it"}
	}
	return s, nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// walk visits what a folder holds, links included, since people keep data sets
// as links to where there is room. above are the folders on the way down: a
// link back to one of them would never end.
func (s *scan) walk(folder string, above []fs.FileInfo) error {
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
		if err := s.visit(path.Join(folder, e.Name()), above); err != nil {
			return err
		}
	}
	return nil
}

// visit takes a file in, leaves it out, or walks a folder.
func (s *scan) visit(file string, above []fs.FileInfo) error {
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(file)))
	class := s.classOf(file)
	switch {
	case err == nil && info.IsDir():
		return s.enter(file, above)
	case hidden(path.Base(file)):
		s.leave(file, "hidden file")
	case errors.Is(err, fs.ErrNotExist):
		s.leave(file, "a link to nothing")
	case err != nil:
		return fmt.Errorf("read the data set's folder: %w", err)
	case !info.Mode().IsRegular(): // reading a pipe would wait for ever
		s.leave(file, "not a regular file")
	case class == "" && !s.any:
		s.leave(file, notInClass)
	default:
		s.entries = append(s.entries, entry{file: file, class: class})
	}
	return nil
}

// notInClass is why files beside the class folders are left out.
const notInClass = "not in a class folder"

// enter walks a folder unless no person made it.
func (s *scan) enter(file string, above []fs.FileInfo) error {
	name := path.Base(file)
	if hidden(name) {
		return nil
	}
	if maker := junk[strings.ToLower(name)]; maker != "" {
		s.leave(file, "a folder that "+maker+" makes")
		return nil
	}
	if class := s.classOf(path.Join(file, "file")); class != "" && !s.any {
		class = norm.NFC.String(class)
		if _, known := s.claimed[class]; !known {
			s.claimed[class] = claim{} // no files so far
		}
	}
	return s.walk(file, above)
}

func (s *scan) leave(file, reason string) {
	s.leftOut = append(s.leftOut, LeftOut{printable(file), reason})
}

// filtered says why include and exclude leave a file out; empty: they do not.
func (o Options) filtered(file string) string {
	if len(o.Include) > 0 && !matchAny(o.Include, file) {
		return "matches no include pattern"
	}
	if g := matching(o.Exclude, file); g != "" {
		return "excluded by " + g
	}
	return ""
}

// filter applies the globs.
func (s *scan) filter(o Options) {
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool {
		reason := o.filtered(e.file)
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
	var damaged []BadPicture
	skipped := 0
	for i, e := range s.entries {
		switch {
		case bad[i] == nil:
			s.samples = append(s.samples, found[i])
			kept = append(kept, e)
		case s.list == "" && isNoPicture(e.file, bad[i]): // folders hold notes and thumbnails' databases
			s.leave(e.file, bad[i].Error())
		case skip:
			skipped++
			s.leave(e.file, bad[i].Error())
		default:
			damaged = append(damaged, BadPicture{File: e.file, Line: e.line, Reason: bad[i].Error()})
		}
	}
	s.entries = kept
	if skipped > 0 {
		s.note("%s left out as unreadable (on_bad: skip)", counted(skipped, "picture is", "pictures are"))
	}
	return s.badPictures(damaged)
}

func readSample(root, file string) (Sample, error) {
	name := filepath.Join(root, filepath.FromSlash(file))
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return Sample{}, errors.New(noSuchFile)
	}
	if err == nil && !info.Mode().IsRegular() {
		return Sample{}, errors.New("it is a folder or a device, not a file")
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return Sample{}, fmt.Errorf("it cannot be read: %w", err)
	}
	if len(data) == 0 && !isPictureName(file) { // a marker that keeps a folder
		return Sample{}, &notPicture{}
	}
	img, format, err := decode(data)
	if err != nil {
		return Sample{}, explain(err, data)
	}
	sum := sha256.Sum256(data)
	size := img.Bounds().Size()
	return Sample{File: file, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Width: size.X, Height: size.Y, Format: format, UsedBits: usedBits(img)}, nil
}

// index numbers the classes and checks that there is something to learn.
func (s *scan) index(o Options) (*Index, error) {
	labels := map[string]int{}
	for _, e := range s.entries {
		labels[e.class] = 0
	}
	classes := slices.Collect(maps.Keys(labels))
	sortClasses(classes)
	for label, class := range classes {
		labels[class] = label
	}
	for i, e := range s.entries {
		s.samples[i].Label = labels[e.class]
	}
	s.noteLeftOut(o, labels)
	ix := &Index{Root: s.root, Classes: classes, Samples: s.samples, LeftOut: s.leftOut, Notes: s.notes}
	ix.Notes = append(ix.Notes, shallowNote(ix.Samples)...)
	slices.SortFunc(ix.LeftOut, func(a, b LeftOut) int { return strings.Compare(a.File, b.File) })
	switch len(ix.Classes) {
	case 0:
		return nil, &Error{File: o.Path, Problem: fmt.Sprintf("no pictures are left; %d files are left out", len(ix.LeftOut)), hint: "check include and exclude; orchestrator dataset inspect says what is left out and why"}
	case 1:
		return nil, &Error{File: o.Path, Problem: fmt.Sprintf("all %d pictures are of one class, %s", len(ix.Samples), ix.Classes[0]), hint: "a classifier needs at least two classes"}
	}
	return ix, ix.checkCopies()
}
