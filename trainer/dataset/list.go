package dataset

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

func scanList(o Options) (*scan, error) {
	data, err := os.ReadFile(o.Path)
	if err != nil {
		return nil, fmt.Errorf("read the list of pictures: %w", err)
	}
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	s := &scan{root: o.Root, list: o.Path}
	if s.root == "" {
		s.root = filepath.Dir(o.Path)
	}
	if s.entries, err = parseList(o.Path, data); err != nil {
		return nil, err
	}
	if len(s.entries) == 0 {
		return nil, &Error{File: o.Path, Problem: "the list is empty", hint: "each line names a picture and its label"}
	}
	return s, s.checkNames()
}

// byteOrderMark begins the text files of some editors and spreadsheets.
const byteOrderMark = "\xef\xbb\xbf"

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

// parseList reads a list by its ending: .csv and .tsv, .jsonl, and otherwise
// lines of a name, one space and a label.
func parseList(file string, data []byte) ([]entry, error) {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".csv", ".tsv":
		return parseCSV(file, data)
	case ".jsonl", ".ndjson":
		return parseJSONL(file, data)
	}
	return parseText(file, data)
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
			return nil, &Error{File: file, Line: n, Problem: fmt.Sprintf("%.80q has no label", text), hint: "write the file name, a space, and the label"}
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

func parseCSV(file string, data []byte) ([]entry, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(file, data), -1, true
	fileColumn, labelColumn := 0, 1
	var out []entry
	for first := true; ; first = false {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, csvError(file, err)
		}
		line, _ := r.FieldPos(0)
		if f, l, ok := header(record); first && ok {
			fileColumn, labelColumn = f, l
			continue
		}
		if len(record) <= max(fileColumn, labelColumn) {
			return nil, &Error{File: file, Line: line, Problem: fmt.Sprintf("%d columns, the file name and the label are needed", len(record)), hint: "columns: file,label"}
		}
		e, err := newEntry(file, line, strings.TrimSpace(record[fileColumn]), strings.TrimSpace(record[labelColumn]))
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
}

// header finds the columns "file" and "label", whatever stands beside them.
func header(record []string) (file, label int, ok bool) {
	is := func(name string) func(string) bool {
		return func(column string) bool { return strings.EqualFold(strings.TrimSpace(column), name) }
	}
	file, label = slices.IndexFunc(record, is("file")), slices.IndexFunc(record, is("label"))
	return file, label, file >= 0 && label >= 0
}

func csvError(file string, err error) error {
	out := &Error{File: file, Problem: err.Error(), hint: "quote names that hold separators or quotes"}
	var where *csv.ParseError
	if errors.As(err, &where) {
		out.Line, out.Problem = where.Line, where.Err.Error()
	}
	return out
}

// separator is a tab in .tsv files, and otherwise the one of comma, semicolon
// and tab that the first line has most of outside of quotes.
func separator(file string, data []byte) rune {
	if strings.EqualFold(filepath.Ext(file), ".tsv") {
		return '\t'
	}
	first, _, _ := bytes.Cut(data, []byte("\n"))
	var line []byte
	for i, part := range bytes.Split(first, []byte(`"`)) {
		if i%2 == 0 { // every other part is between quotes
			line = append(line, part...)
		}
	}
	best, most := ',', bytes.Count(line, []byte(","))
	for _, c := range []rune{';', '\t'} {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

func parseJSONL(file string, data []byte) ([]entry, error) {
	var out []entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var row struct {
			File  string `json:"file"`
			Label any    `json:"label"`
		}
		if err := unmarshalRow(lines.Bytes(), &row); err != nil {
			return nil, &Error{File: file, Line: n, Problem: err.Error(), hint: `each line is {"file": "...", "label": "..."}`}
		}
		label := ""
		switch v := row.Label.(type) {
		case string:
			label = v
		case json.Number:
			label = v.String()
		}
		e, err := newEntry(file, n, row.File, label)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, &Error{File: file, Line: n, Problem: err.Error(), hint: "one JSON object per line"}
	}
	return out, nil
}

// unmarshalRow keeps a label such as 10000000 as it is written.
func unmarshalRow(line []byte, row any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(row); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more than one value in the line")
	}
	return nil
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
