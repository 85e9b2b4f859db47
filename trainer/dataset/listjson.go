package dataset

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// rowHint shows a row of a JSON list.
const rowHint = `each row is {"file": "...", "label": "..."}`

// parseJSON reads an array of objects, or an object in each line.
func (s *scan) parseJSON(o Options, data []byte) ([]entry, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) {
		return s.parseArray(o, data)
	}
	var out []entry
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	n := 1
	for ; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var object map[string]any
		if err := unmarshalRow(lines.Bytes(), &object); err != nil {
			return nil, &Error{File: s.list, Line: n, Problem: err.Error(), hint: rowHint + ", one in a line or all in an array"}
		}
		e, err := s.jsonEntry(o, n, object, len(out) == 0)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err := lines.Err(); err != nil {
		return nil, &Error{File: s.list, Line: n, Problem: err.Error(), hint: "one JSON object per line"}
	}
	return out, nil
}

func (s *scan) parseArray(o Options, data []byte) ([]entry, error) {
	var out []entry
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	line := func() int { return 1 + bytes.Count(data[:d.InputOffset()], []byte("\n")) }
	_, err := d.Token() // [
	for err == nil && d.More() {
		var object map[string]any
		if err = d.Decode(&object); err != nil {
			break
		}
		e, err := s.jsonEntry(o, line(), object, len(out) == 0)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	if err == nil {
		_, err = d.Token() // ]: what is cut off is an error
	}
	if err == nil && d.More() {
		err = errors.New("there is more after the array")
	}
	if err != nil {
		return nil, &Error{File: s.list, Line: line(), Problem: err.Error(), hint: rowHint}
	}
	return out, nil
}

// jsonEntry takes a row, whose keys are called as the columns of other lists are.
func (s *scan) jsonEntry(o Options, line int, object map[string]any, first bool) (entry, error) {
	keys := slices.Sorted(maps.Keys(object))
	file, err := s.findColumn(line, keys, fileColumns)
	if err != nil {
		return entry{}, err
	}
	label, err := s.findColumn(line, keys, labelColumns)
	if err != nil {
		return entry{}, err
	}
	if file < 0 {
		return entry{}, s.noColumn(line, keys, "file")
	}
	if label < 0 {
		return entry{}, s.noColumn(line, keys, "label")
	}
	if first {
		if err := s.checkColumns(o, line, keys, file, label); err != nil {
			return entry{}, err
		}
	}
	var texts [2]string
	for i, key := range []string{keys[file], keys[label]} {
		switch v := object[key].(type) {
		case string:
			texts[i] = v
		case json.Number:
			texts[i] = v.String()
		default:
			return entry{}, &Error{File: s.list, Line: line, Problem: fmt.Sprintf("%s is neither text nor a number", key), hint: rowHint}
		}
	}
	return newEntry(s.list, line, texts[0], texts[1])
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
