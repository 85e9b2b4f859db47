package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
)

// row is a line of a list in columns.
type row struct {
	line  int
	cells []string
}

func parseCSV(file string, data []byte) ([]row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(file, data), -1, true
	var rows []row
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, csvError(file, err)
		}
		line, _ := r.FieldPos(0)
		for i := range record {
			record[i] = strings.TrimSpace(record[i])
		}
		rows = append(rows, row{line, record})
	}
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

// recordList reads the .lst files of MXNet's im2rec: a number, labels and the file
// name with tabs between them; nil where a line is of another form.
func recordList(data []byte) []row {
	var rows []row
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		cells := strings.Split(text, "\t")
		if _, err := strconv.Atoi(cells[0]); err != nil || len(cells) < 3 {
			return nil
		}
		rows = append(rows, row{line, cells})
	}
	return rows
}

// fromRecords takes the labels 0.000000, 1.000000 of im2rec's lists for the numbers
// that they are.
func (s *scan) fromRecords(rows []row) ([]entry, error) {
	var out []entry
	for _, r := range rows {
		if len(r.cells) != 3 {
			return nil, &Error{File: s.list, Line: r.line, Problem: "there are several labels", hint: "each line is a number, one label and the file name, with tabs between them"}
		}
		label := r.cells[1]
		if x, err := strconv.ParseFloat(label, 64); err == nil {
			label = strconv.FormatFloat(x, 'f', -1, 64)
		}
		e, err := newEntry(s.list, r.line, r.cells[2], label)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}
