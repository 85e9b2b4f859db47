package dataset

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What columns are called, without spaces, hyphens and underscores. The first name
// of file and of label counts before the others.
var (
	fileColumns = []string{
		"file", "filename", "filepath", "path", "image", "imagename", "imagepath", "imagefile", "imagefilename", "imageid",
		"img", "imgname", "imgpath", "imgfile", "picture",
	}
	labelColumns  = []string{"label", "labels", "class", "classname", "classlabel", "classid", "category", "target"}
	splitColumns  = []string{"split", "splits", "subset", "partition", "set", "dataset"}
	groupColumns  = []string{"group", "groups", "groupid", "fold", "folds", "foldid", "kfold"}
	weightColumns = []string{"weight", "weights", "sampleweight"}
)

func plainColumn(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-", r) {
			return -1
		}
		return r
	}, strings.ToLower(strings.TrimSpace(name)))
}

func isColumn(name string, of []string) bool { return slices.Contains(of, plainColumn(name)) }

// findColumn is the column that is called one of the names, -1 where there is none.
func (s *scan) findColumn(line int, header, names []string) (int, error) {
	found := -1
	for i, h := range header {
		if plainColumn(h) == names[0] {
			return i, nil
		}
	}
	for i, h := range header {
		if !isColumn(h, names) {
			continue
		}
		if found >= 0 {
			return 0, &Error{File: s.list, Line: line, Problem: fmt.Sprintf("both %s and %s may be the %s", header[found], h, names[0]), hint: "call the one that counts " + names[0]}
		}
		found = i
	}
	return found, nil
}

// isHeader reports whether the first line names the columns: nothing in it is a
// picture or a file that is there, and one is known or none a number.
func (s *scan) isHeader(cells []string) bool {
	known := slices.ContainsFunc(cells, func(c string) bool { return isColumn(c, fileColumns) })
	return len(cells) > 1 && !slices.ContainsFunc(cells, func(c string) bool {
		_, err := strconv.ParseFloat(c, 64)
		return err == nil && !known || isPictureName(c) || c != "" && s.isThere(slashes(c))
	})
}

// noteHeader says so where a first line is taken for names of columns that are not
// among the known ones.
func (s *scan) noteHeader(file, label string) {
	if !isColumn(file, fileColumns) && !isColumn(label, labelColumns) {
		s.note("line 1 (%s, %s) is taken for a header", file, label)
	}
}

// fromTable finds the columns of the file name and the label by their names; without
// names there may be no others.
func (s *scan) fromTable(o Options, rows []row) ([]entry, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	if !s.isHeader(rows[0].cells) {
		return s.twoColumns(rows)
	}
	header, line := rows[0].cells, rows[0].line
	rows = rows[1:]
	file, label, err := s.fileAndLabel(line, header)
	if err != nil {
		return nil, err
	}
	if label < 0 {
		if file < 0 { // the first that has a name
			file = slices.IndexFunc(header, func(h string) bool { return plainColumn(h) != "" })
		}
		return s.oneHot(o, line, header, max(file, 0), rows)
	}
	if file < 0 {
		return nil, s.noColumn(line, header, "file")
	}
	if err := s.checkColumns(o, line, header, file, label); err != nil {
		return nil, err
	}
	var out []entry
	for _, r := range rows {
		if len(r.cells) <= max(file, label) {
			return nil, s.tooFew(r)
		}
		e, err := newEntry(s.list, r.line, r.cells[file], r.cells[label])
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// fileAndLabel finds both columns, -1 for what there is none of. Of two columns one
// is enough, and without any known name the file is the first.
func (s *scan) fileAndLabel(line int, header []string) (file, label int, err error) {
	if file, err = s.findColumn(line, header, fileColumns); err != nil {
		return 0, 0, err
	}
	if label, err = s.findColumn(line, header, labelColumns); err != nil || len(header) != 2 {
		return file, label, err
	}
	switch {
	case file < 0 && label < 0:
		s.noteHeader(header[0], header[1])
		file, label = 0, 1
	case file < 0:
		file = 1 - label
	case label < 0:
		label = 1 - file
	}
	return file, label, nil
}

func (s *scan) twoColumns(rows []row) ([]entry, error) {
	var out []entry
	for _, r := range rows {
		if len(r.cells) < 2 {
			return nil, s.tooFew(r)
		}
		if len(r.cells) > 2 {
			return nil, &Error{File: s.list, Line: r.line, Problem: fmt.Sprintf("%d columns, and the first line does not say which are the file name and the label", len(r.cells)),
				hint: "write a first line that calls two of the columns file and label"}
		}
		e, err := newEntry(s.list, r.line, r.cells[0], r.cells[1])
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (s *scan) tooFew(r row) error {
	return &Error{File: s.list, Line: r.line, Problem: fmt.Sprintf("%d columns, the file name and the label are needed", len(r.cells)), hint: "columns: file,label"}
}

func (s *scan) noColumn(line int, header []string, name string) error {
	return &Error{File: s.list, Line: line, Problem: fmt.Sprintf("of the columns %s none is called %s", listNames(header), name),
		hint: "rename the columns that hold the file name and the label to file and label"}
}

// oneHot takes columns of 0 and 1 for classes.
func (s *scan) oneHot(o Options, line int, header []string, file int, rows []row) ([]entry, error) {
	if err := s.refuseColumns(o, line, header); err != nil {
		return nil, err
	}
	var out []entry
	for _, r := range rows {
		if len(r.cells) != len(header) {
			return nil, s.noColumn(line, header, "label")
		}
		class, ones := "", 0
		for i, c := range r.cells {
			x, err := strconv.ParseFloat(c, 64)
			switch {
			case i == file, plainColumn(header[i]) == "": // rows' numbers
			case err != nil || x != 0 && x != 1:
				return nil, s.noColumn(line, header, "label")
			case x == 1:
				class = header[i]
				ones++
			}
		}
		if ones != 1 {
			return nil, &Error{File: s.list, Line: r.line, Problem: fmt.Sprintf("the columns hold 0 and 1, and %d of them are 1: a picture has one label here", ones), hint: "give each picture one label in a column called label"}
		}
		e, err := newEntry(s.list, r.line, r.cells[file], class)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	s.note("the columns beside %s are one-hot labels: each is a class", header[file])
	return out, nil
}

// refuseColumns refuses columns that would change what a result means if they were
// read.
func (s *scan) refuseColumns(o Options, line int, header []string) error {
	for _, h := range header {
		switch {
		case isColumn(h, groupColumns) && o.Folds == "":
			return &Error{File: s.list, Line: line, Problem: fmt.Sprintf("the column %s is not read: folds would be made without regard to it", h),
				hint: "make folds of it for dataset.folds, or take the column out"}
		case isColumn(h, weightColumns):
			return &Error{File: s.list, Line: line, Problem: fmt.Sprintf("the column %s is not read: single pictures have no weights", h),
				hint: "take the column out; training.class_weights weighs classes"}
		}
	}
	return nil
}

// checkColumns refuses columns, and notes others that are not read.
func (s *scan) checkColumns(o Options, line int, header []string, file, label int) error {
	var others []string
	splits := ""
	for i, h := range header {
		if i == file || i == label || plainColumn(h) == "" {
			continue
		}
		if isColumn(h, splitColumns) {
			splits = ": cross-validation makes its own splits"
		}
		others = append(others, h)
	}
	if len(others) > 0 {
		s.note("columns that are not read: %s%s", strings.Join(others, ", "), splits)
	}
	return s.refuseColumns(o, line, header)
}
