package dataset

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listed is a line of one of the folds' lists.
type listed struct {
	entry
	list string
}

func (l listed) problem(hint, format string, args ...any) error {
	return &Error{File: l.list, Line: l.line, Problem: fmt.Sprintf(format, args...), hint: hint}
}

// listedPictures reads the lists of all folds.
func listedPictures(dir string) ([]listed, error) {
	names, err := foldNames(dir)
	if err != nil {
		return nil, err
	}
	var all []listed
	for _, name := range names {
		for _, side := range foldLists {
			list := filepath.Join(dir, name, side)
			entries, err := readFoldList(list)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				all = append(all, listed{e, list})
			}
		}
	}
	return all, nil
}

// scanListed takes the pictures that the folds' lists name, with the labels that
// stand there, wherever below the folder they are.
func scanListed(o Options, lines []listed) (*scan, error) {
	s := &scan{root: o.Path, any: true}
	if err := s.walk("", nil); err != nil {
		return nil, err
	}
	first, missing, err := s.match(lines)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		return nil, missingPictures(o.Path, missing, len(first))
	}
	if err := checkLabels(lines); err != nil {
		return nil, err
	}
	s.label(first)
	return s, nil
}

// match finds the first line of each picture, by the picture's name below the
// root, and those whose picture is missing.
func (s *scan) match(lines []listed) (first map[string]listed, missing []listed, err error) {
	there := map[string]bool{}
	byBase := map[string][]string{}
	for _, e := range s.entries {
		there[e.file] = true
		byBase[baseName(e.file)] = append(byBase[baseName(e.file)], e.file)
	}
	first = map[string]listed{}
	for _, l := range lines {
		if !there[l.file] {
			l.file = relativeTo(s.root, slashes(l.file))
		}
		same := byBase[baseName(l.file)]
		if !there[l.file] && len(same) > 1 {
			return nil, nil, l.problem("name it relative to dataset.path", "there are %d pictures named %s, as %s and %s", len(same), l.file, same[0], same[1])
		}
		if !there[l.file] && len(same) == 1 {
			l.file = same[0]
		}
		old, known := first[l.file]
		if known && old.class != l.class {
			return nil, nil, l.problem("decide on one label", "%s is labelled %s here and %s in %s:%d", l.file, l.class, old.class, old.list, old.line)
		}
		if !known {
			first[l.file] = l
			if len(same) == 0 {
				missing = append(missing, l)
			}
		}
	}
	return first, missing, nil
}

// label keeps the entries that the lists name.
func (s *scan) label(lines map[string]listed) {
	surplus := 0
	s.entries = slices.DeleteFunc(s.entries, func(e entry) bool {
		_, named := lines[e.file]
		switch {
		case named:
		case strings.EqualFold(path.Ext(e.file), ".txt"):
			s.leave(e.file, "a list")
		default:
			surplus++
			s.leave(e.file, "no fold's list names it")
		}
		return !named
	})
	for i := range s.entries {
		s.entries[i].class = lines[s.entries[i].file].class
	}
	s.notes = append(s.notes, fmt.Sprintf("the labels are those of the folds' lists, which name %d pictures; %d more are left out", len(s.entries), surplus))
}

// missingPictures names the first of the pictures that are not there.
func missingPictures(root string, missing []listed, all int) error {
	const most = 5
	names := make([]string, 0, most)
	for _, l := range missing[:min(most, len(missing))] {
		names = append(names, l.file)
	}
	text := strings.Join(names, ", ")
	if len(missing) > most {
		text += ", ..."
	}
	return missing[0].problem("put the missing pictures there, or take their lines out of the lists",
		"%d of the %d pictures that the folds' lists name are not in %s: %s", len(missing), all, root, text)
}

// checkLabels refuses labels that are numbers, but not those from the first to
// the last class: a typing error would make a class of its own.
func checkLabels(lines []listed) error {
	numbers := map[int]bool{}
	for _, l := range lines {
		n, err := strconv.Atoi(l.class)
		if err != nil {
			return nil // names
		}
		numbers[n] = true
	}
	for _, l := range lines {
		if n, _ := strconv.Atoi(l.class); n < 0 || n > 1 && !numbers[n-1] {
			return l.problem("labels are numbers from 0 without a gap, or names", "%s has the label %d, which is outside of the range of the others", l.file, n)
		}
	}
	return nil
}

// scanWithFolds scans a folder whose folds are given: class folders, or pictures
// that only the lists label.
func scanWithFolds(o Options) (*scan, error) {
	lines, err := listedPictures(o.Folds)
	if err != nil {
		return nil, err
	}
	classes, err := hasClassFolders(o, lines)
	if err != nil {
		return nil, err
	}
	if classes {
		return scanFolder(o)
	}
	return scanListed(o, lines)
}
