package dataset

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/unicode/norm"
)

func scanList(o Options) (*scan, error) {
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, fmt.Errorf("read the list of pictures: %w", err)
	}
	s := &scan{root: o.Root, list: o.Path}
	if s.root == "" {
		s.root = filepath.Dir(o.Path)
	}
	if s.entries, err = s.parse(o, data); err != nil {
		return nil, err
	}
	if len(s.entries) == 0 {
		return nil, &Error{File: o.Path, Problem: "the list is empty", hint: "each line names a picture and its label"}
	}
	for i := range s.entries {
		s.entries[i].file = s.locate(s.entries[i].file)
	}
	return s, s.checkNames()
}

// parse reads a list by its ending: .csv and .tsv, .json and .jsonl, and otherwise
// lines of a name, one space and a label.
func (s *scan) parse(o Options, data []byte) ([]entry, error) {
	data, err := plainText(s.list, data)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(filepath.Ext(s.list)) {
	case ".csv", ".tsv":
		rows, err := parseCSV(s.list, data)
		if err != nil {
			return nil, err
		}
		return s.fromTable(o, rows)
	case ".json", ".jsonl", ".ndjson":
		return s.parseJSON(o, data)
	case ".lst":
		if rows := recordList(data); rows != nil {
			return s.fromRecords(rows)
		}
	}
	entries, err := parseText(s.list, data)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if first := entries[0]; strings.HasSuffix(first.file, ",") || strings.HasSuffix(first.file, ";") {
		return nil, &Error{File: s.list, Line: first.line, Problem: fmt.Sprintf("%q ends in a separator", first.file), hint: "lists with commas or semicolons end in .csv"}
	}
	if first := entries[0]; s.isHeader([]string{first.file, first.class}) {
		s.noteHeader(first.file, first.class)
		entries = entries[1:]
	}
	return entries, nil
}

// byteOrderMark begins the text files of some editors and spreadsheets.
const byteOrderMark = "\xef\xbb\xbf"

// plainText brings a list to UTF-8 without a mark.
func plainText(file string, data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) { // spreadsheets' "Unicode text"
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		if err != nil {
			return nil, &Error{File: file, Problem: "it begins as UTF-16, but is not", hint: "save the list as UTF-8"}
		}
		data = text
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, &Error{File: file, Problem: "there are zero bytes in it: it is no text, or UTF-16 or UTF-32 without a mark", hint: "save the list as UTF-8"}
	}
	return bytes.TrimPrefix(data, []byte(byteOrderMark)), nil
}

// locate is the name of a listed file relative to the root: of what other systems
// write, backslashes and another form of Unicode are understood where the file is
// there, and absolute names where it is below the root.
func (s *scan) locate(name string) string {
	if filepath.IsAbs(name) {
		return relativeTo(s.root, name)
	}
	if s.isThere(name) {
		return name
	}
	for _, other := range []string{slashes(name), norm.NFC.String(name), norm.NFD.String(name)} {
		if other != name && s.isThere(other) {
			return other
		}
	}
	return name
}

func slashes(name string) string { return path.Clean(strings.ReplaceAll(name, `\`, "/")) }

func (s *scan) isThere(name string) bool {
	_, err := os.Lstat(filepath.Join(s.root, filepath.FromSlash(name)))
	return err == nil
}

// relativeTo makes an absolute name relative to the root, through links too; it is
// returned as it is where it lies elsewhere.
func relativeTo(root, name string) string {
	root, err := filepath.Abs(root)
	real, errReal := filepath.EvalSymlinks(root)
	for _, r := range []string{root, real} {
		if rel, errRel := filepath.Rel(r, name); err == nil && errReal == nil && errRel == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return name
}

// checkNames refuses names outside of the root and double entries.
func (s *scan) checkNames() error {
	first := map[string]entry{}
	for _, e := range s.entries {
		if !filepath.IsLocal(filepath.FromSlash(e.file)) {
			return &Error{File: s.list, Line: e.line, Problem: fmt.Sprintf("%q is outside of %s", e.file, s.root), hint: "name pictures relative to the list, or to dataset.root"}
		}
		old, twice := first[e.file]
		if twice && old.class != e.class {
			return &Error{File: s.list, Line: e.line, Problem: fmt.Sprintf("%s is labelled %s here and %s in line %d", e.file, e.class, old.class, old.line), hint: "decide on one label"}
		}
		if twice {
			return &Error{File: s.list, Line: e.line, Problem: fmt.Sprintf("%s stands in line %d already", e.file, old.line), hint: "name each picture once"}
		}
		first[e.file] = e
	}
	return nil
}

func parseText(file string, data []byte) ([]entry, error) {
	var out []entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		i := strings.LastIndexAny(text, " \t") // names may hold spaces
		if i < 0 {
			return nil, &Error{File: file, Line: n, Problem: fmt.Sprintf("%.80q has no label", text), hint: "write the file name, a space, and the label; lists with commas end in .csv"}
		}
		e, err := newEntry(file, n, strings.TrimSpace(text[:i]), text[i+1:])
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, &Error{File: file, Line: n, Problem: err.Error(), hint: "the list is a text file with a picture in each line"}
	}
	return out, nil
}

// newEntry checks a name and a label.
func newEntry(file string, line int, name, label string) (entry, error) {
	if name == "" || label == "" {
		return entry{}, &Error{File: file, Line: line, Problem: "the file name or the label is empty", hint: "each line needs both"}
	}
	return entry{file: path.Clean(filepath.ToSlash(name)), class: label, line: line}, nil
}

// sortClasses orders labels: by number where all are numbers, else by name.
func sortClasses(classes []string) {
	numbers := map[string]float64{}
	for _, c := range classes {
		if x, err := strconv.ParseFloat(c, 64); err == nil && !math.IsNaN(x) {
			numbers[c] = x
		}
	}
	slices.SortFunc(classes, func(a, b string) int {
		if len(numbers) == len(classes) && numbers[a] != numbers[b] {
			if numbers[a] < numbers[b] {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
}
