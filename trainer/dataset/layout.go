package dataset

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// splitWords name the parts of a data set that its authors made.
var splitWords = []string{
	"train", "training", "val", "valid", "validation", "test", "testing", "dev", "devel", "development",
	"eval", "evaluation", "holdout", "pred", "prediction", "unlabeled", "unlabelled",
}

// besideSplit are words that stand beside them: training_set, seg_train, test-images.
var besideSplit = []string{"set", "data", "dataset", "seg", "split", "part", "images", "image", "imgs", "img", "pics", "pictures", "photos"}

// isSplit reports whether a folder is named like a part of a data set.
func isSplit(name string) bool {
	found := false
	for _, word := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) }) {
		for _, end := range []string{"set", "data"} { // trainset
			if short := strings.TrimSuffix(word, end); short != "" {
				word = short
			}
		}
		switch {
		case slices.Contains(splitWords, word):
			found = true
		case !slices.Contains(besideSplit, word):
			return false
		}
	}
	return found
}

// junk are folders that systems and programs make beside or inside of others.
var junk = map[string]string{
	"__macosx": "macOS", "@eadir": "Synology DSM", "#recycle": "Synology DSM", "#snapshot": "Synology DSM", "@recycle": "QNAP QTS", "@__thumb": "QNAP QTS",
	"$recycle.bin": "Windows", "recycler": "Windows", "system volume information": "Windows",
	"lost+found": "Linux", "__pycache__": "Python",
}

// deepest bounds how far below the data set's folder the class folders are looked for.
const deepest = 6

// layout finds the folders whose subfolders are the classes, from their names and
// from where the pictures are, and notes what it decided.
func (s *scan) layout(o Options, dir string, depth int) error {
	f, err := s.look(o, dir)
	if err != nil {
		return err
	}
	var splits, others []string
	for _, sub := range f.with {
		if isSplit(sub) {
			splits = append(splits, sub)
		} else {
			others = append(others, sub)
		}
	}
	below := make(map[string]folder, len(f.with))
	for _, sub := range f.with {
		if below[sub], err = s.look(o, path.Join(dir, sub)); err != nil {
			return err
		}
	}
	switch same := common(f.with, below); {
	case depth == deepest:
	case len(others) == 0 && len(splits) > 0, len(splits) > 1 && len(same) > 1:
		return s.together(o, dir, f.with, depth)
	case len(same) > 1 && !slices.ContainsFunc(same, func(n string) bool { return !isSplit(n) }): // ants/train, ants/val
		s.note("the folders %s below each class are taken together: cross-validation makes its own splits", strings.Join(same, ", "))
	case len(same) > 1:
		return s.unclear(dir, f.with, same, depth)
	case slices.ContainsFunc(splits, func(n string) bool { return !below[n].pictures && len(below[n].with) > 1 }):
		i := slices.IndexFunc(splits, func(n string) bool { return !below[n].pictures && len(below[n].with) > 1 })
		return s.unclear(dir, f.with, below[splits[i]].with, depth)
	case !f.pictures && f.alone() && !below[others[0]].pictures && len(below[others[0]].with) > 0:
		return s.layout(o, path.Join(dir, others[0]), depth+1)
	}
	if dir != "" && len(s.roots) == 0 && !s.split {
		s.note("the classes are the folders in %s", dir)
	}
	s.roots = append(s.roots, dir)
	return nil
}

// together takes splits together: the classes are the folders in each.
func (s *scan) together(o Options, dir string, splits []string, depth int) error {
	switch {
	case len(splits) > 1:
		s.note("the folders %s are taken together: cross-validation makes its own splits", strings.Join(splits, ", "))
	case !s.split:
		s.note("the classes are the folders in %s", path.Join(dir, splits[0]))
	}
	s.split = true
	for _, sub := range splits {
		if err := s.layout(o, path.Join(dir, sub), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// unclear refuses folders of which either level may be the classes.
func (s *scan) unclear(dir string, upper, lower []string, depth int) error {
	return &Error{
		File:    filepath.Join(s.root, filepath.FromSlash(dir)),
		Problem: fmt.Sprintf("it is not clear which folders are the classes: %s, or those below them, as %s", listNames(upper), listNames(lower)),
		hint: fmt.Sprintf("dataset.class_level: %d takes the first, dataset.class_level: %d those below; dataset.exclude leaves folders out",
			depth+1, depth+2),
	}
}

// listNames joins the first few of many names.
func listNames(names []string) string {
	const most = 5
	shown := make([]string, 0, most)
	for _, n := range names[:min(most, len(names))] {
		shown = append(shown, printable(n))
	}
	text := strings.Join(shown, ", ")
	if len(names) > most {
		text += ", ..."
	}
	return text
}

// folder is what is directly in a folder.
type folder struct {
	subs     []string // all of its folders but hidden ones and junk
	with     []string // those that hold pictures which are not filtered out, at any depth
	pictures bool     // there are some beside the folders
	filtered bool     // include or exclude may have left folders out
}

// alone reports whether there is one folder with pictures, and filters did not make
// it so.
func (f folder) alone() bool { return len(f.with) == 1 && (len(f.subs) == 1 || !f.filtered) }

func (s *scan) look(o Options, dir string) (folder, error) {
	subs, files, err := listFolder(filepath.Join(s.root, filepath.FromSlash(dir)))
	f := folder{subs: subs, filtered: len(o.Include)+len(o.Exclude) > 0}
	f.pictures = slices.ContainsFunc(files, func(name string) bool { return s.mayBeUsed(o, path.Join(dir, name)) })
	for _, sub := range subs {
		if s.holdsPictures(o, path.Join(dir, sub), 0) {
			f.with = append(f.with, sub)
		}
	}
	return f, err
}

// holdsPictures looks for the first picture in a folder. What cannot be read is an
// error when the folder is walked.
func (s *scan) holdsPictures(o Options, dir string, depth int) bool {
	subs, files, _ := listFolder(filepath.Join(s.root, filepath.FromSlash(dir)))
	return slices.ContainsFunc(files, func(name string) bool { return s.mayBeUsed(o, path.Join(dir, name)) }) ||
		depth < deepest && slices.ContainsFunc(subs, func(sub string) bool { return s.holdsPictures(o, path.Join(dir, sub), depth+1) })
}

// mayBeUsed reports whether a file is a picture, by its name or else its first bytes,
// that passes the filters.
func (s *scan) mayBeUsed(o Options, file string) bool {
	if hidden(path.Base(file)) || o.filtered(file) != "" {
		return false
	}
	return isPictureName(file) || path.Ext(file) == "" && hasSignature(filepath.Join(s.root, filepath.FromSlash(file)))
}

// common are the names of folders that all of the given ones hold, where there are
// several and none of them holds pictures itself.
func common(names []string, of map[string]folder) []string {
	if len(names) < 2 {
		return nil
	}
	same := of[names[0]].with
	for _, n := range names {
		if of[n].pictures {
			return nil
		}
		same = slices.DeleteFunc(slices.Clone(same), func(sub string) bool { return !slices.Contains(of[n].with, sub) })
	}
	return same
}

// isPlain reports whether a folder's name says no more than that there are pictures.
func isPlain(name string) bool {
	name = strings.ToLower(name)
	return isSplit(name) || slices.Contains(besideSplit, name) || slices.Contains([]string{"unknown", "all", "files", "0"}, name)
}

// dropUnlabelled takes out splits whose pictures have no class: they lie in one folder
// that is called images, or as plainly, while other splits have several, and not this
// one.
func (s *scan) dropUnlabelled(o Options) error {
	subs := map[string][]string{}
	several := map[string]bool{} // classes of splits that have more than one
	for _, root := range s.roots {
		f, err := s.look(o, root)
		if err != nil {
			return err
		}
		subs[root] = f.with
		for _, sub := range f.with {
			sub = norm.NFC.String(sub)
			several[sub] = several[sub] || len(f.with) > 1
		}
	}
	s.roots = slices.DeleteFunc(s.roots, func(root string) bool {
		drop := len(subs[root]) == 1 && isPlain(subs[root][0]) && !several[norm.NFC.String(subs[root][0])] &&
			slices.ContainsFunc(s.roots, func(r string) bool { return len(subs[r]) > 1 })
		if drop {
			s.note("%s has no class folders: %s is in none of the other splits", root, subs[root][0])
		}
		return drop
	})
	return nil
}

// classOf is the class folder that a file lies in; empty: in none.
func (s *scan) classOf(file string) string {
	parts := strings.Split(file, "/")
	if s.level > 0 {
		if len(parts) > s.level {
			return parts[s.level-1]
		}
		return ""
	}
	for _, root := range s.roots {
		rest, in := strings.CutPrefix(file, root+"/")
		if root == "" {
			rest, in = file, true
		}
		if class, _, below := strings.Cut(rest, "/"); in && below {
			return class
		}
	}
	return ""
}

// listFolder names the folders, links to folders too, and the files of a folder.
func listFolder(dir string) (folders, files []string, err error) {
	content, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read the data set's folder: %w", err)
	}
	for _, e := range content {
		if !e.IsDir() && e.Type().IsRegular() {
			files = append(files, e.Name())
			continue
		}
		switch info, err := os.Stat(filepath.Join(dir, e.Name())); {
		case err != nil:
		case info.Mode().IsRegular():
			files = append(files, e.Name())
		case info.IsDir() && !hidden(e.Name()) && junk[strings.ToLower(e.Name())] == "":
			folders = append(folders, e.Name())
		}
	}
	return folders, files, nil
}

// hasClassFolders reports whether the labels of the folds' lists are the names of
// class folders.
func hasClassFolders(o Options, lines []listed) (bool, error) {
	s := &scan{root: o.Path}
	var unclear *Error
	if err := s.layout(o, "", 0); errors.As(err, &unclear) {
		return false, nil // the lists say it
	} else if err != nil {
		return false, err
	}
	classes := map[string]bool{}
	for _, root := range s.roots {
		f, err := s.look(o, root)
		if err != nil {
			return false, err
		}
		for _, sub := range f.with {
			classes[norm.NFC.String(sub)] = true
		}
	}
	return slices.ContainsFunc(lines, func(l listed) bool { return classes[l.class] }), nil
}
