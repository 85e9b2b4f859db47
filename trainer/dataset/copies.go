package dataset

import "fmt"

// Copies gives, for each picture, the first one with the same content: the picture
// itself where there is none before it.
func (ix *Index) Copies() []int {
	first := make(map[string]int, len(ix.Samples))
	out := make([]int, len(ix.Samples))
	for i, s := range ix.Samples {
		if _, known := first[s.SHA256]; !known {
			first[s.SHA256] = i
		}
		out[i] = first[s.SHA256]
	}
	return out
}

// Duplicates counts the pictures whose content an earlier one has.
func (ix *Index) Duplicates() int {
	n := 0
	for i, first := range ix.Copies() {
		if first != i {
			n++
		}
	}
	return n
}

// checkCopies refuses two labels of the same content, of which one must be wrong,
// and notes other copies.
func (ix *Index) checkCopies() error {
	copies := 0
	var wrong []string
	for i, first := range ix.Copies() {
		a, b := ix.Samples[first], ix.Samples[i]
		if first != i {
			copies++
		}
		if a.Label != b.Label {
			wrong = append(wrong, fmt.Sprintf("%s (%s) and %s (%s)", a.File, ix.Classes[a.Label], b.File, ix.Classes[b.Label]))
		}
	}
	if len(wrong) > 0 {
		return &Error{
			File: ix.Root, Problem: fmt.Sprintf("pictures with the same content have two labels: %s", listNames(wrong)),
			hint: "decide on one label, and remove the other file or leave it out with dataset.exclude",
		}
	}
	if copies > 0 {
		ix.Notes = append(ix.Notes, fmt.Sprintf("%s of another one, byte for byte: copies are always on the same side of a fold", counted(copies, "picture is a copy", "pictures are copies")))
	}
	return nil
}
