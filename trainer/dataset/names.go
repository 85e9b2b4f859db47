package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// printable is a name as it is, or quoted with its bytes where it is not UTF-8.
func printable(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	return strconv.Quote(name)
}

// counted is a number with what follows for one and for several.
func counted(n int, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// claim is how many files are of a class, before any is left out.
type claim struct {
	files int
	first string
}

// claim writes all classes in one form of Unicode, since systems store the same
// letters in two, and counts the files of each.
func (s *scan) claim() {
	if s.claimed == nil {
		s.claimed = map[string]claim{}
	}
	spelled, noted := map[string]string{}, map[string]bool{}
	for i := range s.entries {
		e := &s.entries[i]
		raw := e.class
		e.class = norm.NFC.String(raw)
		c := s.claimed[e.class]
		if c.files++; c.first == "" {
			c.first = e.file
		}
		s.claimed[e.class] = c
		other, known := spelled[e.class]
		if !known {
			spelled[e.class] = raw
		} else if other != raw && !noted[e.class] {
			noted[e.class] = true
			s.note("the class names %+q and %+q are the same letters in two forms of Unicode (NFC and NFD), and one class", min(other, raw), max(other, raw))
		}
	}
}

// checkText refuses names that are not UTF-8: JSON cannot hold them, and several
// would become one there.
func (s *scan) checkText() error {
	var bad []entry
	for _, e := range s.entries {
		if !utf8.ValidString(e.file) || !utf8.ValidString(e.class) {
			bad = append(bad, e)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	first := bad[0]
	text := strconv.Quote(first.file)
	if utf8.ValidString(first.file) {
		text = strconv.Quote(first.class)
	}
	problem := fmt.Sprintf("the name %s is not UTF-8", text)
	if len(bad) > 1 {
		problem += fmt.Sprintf(", nor are %d more", len(bad)-1)
	}
	if s.list != "" {
		return &Error{File: s.list, Line: first.line, Problem: problem, hint: "save the list as UTF-8: iconv -f CP1252 -t UTF-8, with the code page that it was written in; and files that have such names under others"}
	}
	return &Error{File: s.root, Problem: problem, hint: "rename the files and folders: convmv -r -f cp1251 -t utf8 --notest FOLDER, with the code page that they were named in"}
}

// noteLeftOut notes classes of which nothing is left, and pictures without a class.
func (s *scan) noteLeftOut(o Options, left map[string]int) {
	reasons := map[string]string{}
	stray := 0
	for _, l := range s.leftOut {
		reasons[l.File] = l.Reason
		if l.Reason == notInClass && isPictureName(strings.Trim(l.File, `"`)) && o.filtered(l.File) == "" {
			stray++
		}
	}
	for _, class := range slices.Sorted(maps.Keys(s.claimed)) {
		if _, there := left[class]; there {
			continue
		}
		if c := s.claimed[class]; c.files > 0 {
			s.note("class %s has no pictures: %s left out, as %s: %s", printable(class), counted(c.files, "file is", "files are"), printable(c.first), reasons[printable(c.first)])
		} else {
			s.note("the folder %s is no class: it holds no files", printable(class))
		}
	}
	if stray > 0 {
		s.note("%s left out: not in a class folder", counted(stray, "picture is", "pictures are"))
	}
}
