package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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
	if info.IsDir() {
		s, err = scanFolder(o)
	} else {
		s, err = scanList(o)
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
	top, err := os.ReadDir(o.Path)
	if err != nil {
		return nil, fmt.Errorf("read the data set's folder: %w", err)
	}
	var folders []string
	for _, e := range top {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			folders = append(folders, e.Name())
		}
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
	err = filepath.WalkDir(o.Path, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("read the data set's folder: %w", err)
		}
		return s.visit(p, d, level)
	})
	if err == nil && len(s.entries) == 0 {
		err = &Error{File: o.Path, Problem: "there are no class folders with pictures in it", hint: "put the pictures of each class into a folder named after it"}
	}
	return s, err
}

func (s *scan) visit(p string, d fs.DirEntry, level int) error {
	rel, err := filepath.Rel(s.root, p)
	if err != nil || rel == "." {
		return err
	}
	rel = filepath.ToSlash(rel)
	if strings.HasPrefix(d.Name(), ".") {
		if d.IsDir() {
			return fs.SkipDir
		}
		s.leftOut = append(s.leftOut, LeftOut{rel, "hidden file"})
		return nil
	}
	if d.IsDir() {
		return nil
	}
	parts := strings.Split(rel, "/")
	if len(parts) < level+2 {
		s.leftOut = append(s.leftOut, LeftOut{rel, "not in a class folder"})
		return nil
	}
	s.entries = append(s.entries, entry{file: rel, class: parts[level]})
	return nil
}

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
			s.leftOut = append(s.leftOut, LeftOut{e.file, reason})
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

// globMatch lets * stand for any text, slashes included, and ? for one letter.
func globMatch(glob, name string) bool {
	for len(glob) > 0 {
		switch glob[0] {
		case '*':
			for i := 0; i <= len(name); i++ {
				if globMatch(glob[1:], name[i:]) {
					return true
				}
			}
			return false
		case '?':
			if name == "" {
				return false
			}
		default:
			if name == "" || name[0] != glob[0] {
				return false
			}
		}
		glob, name = glob[1:], name[1:]
	}
	return name == ""
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
		case errors.As(bad[i], &not) && s.list == "":
			s.leftOut = append(s.leftOut, LeftOut{e.file, bad[i].Error()})
		case skip:
			s.leftOut = append(s.leftOut, LeftOut{e.file, bad[i].Error()})
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
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return Sample{}, errors.New("there is no such file")
	}
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
	for _, e := range s.entries {
		if !slices.Contains(ix.Classes, e.class) {
			ix.Classes = append(ix.Classes, e.class)
		}
	}
	sortClasses(ix.Classes)
	for i, e := range s.entries {
		ix.Samples[i].Label = slices.Index(ix.Classes, e.class)
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
