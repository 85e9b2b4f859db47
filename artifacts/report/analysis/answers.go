package analysis

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	"orchestrator/artifacts/report/stats"
)

// ReadAnswers reads a job's predictions, as artifacts/FORMAT.md describes them.
func ReadAnswers(r io.Reader, classes []string, fold int) ([]stats.Answer, error) {
	records, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	var answers []stats.Answer
	for i, record := range records {
		if i == 0 {
			if len(record) != 3+len(classes) {
				return nil, fmt.Errorf("%d columns for %d classes", len(record), len(classes))
			}
			continue
		}
		a := stats.Answer{File: record[0], Label: slices.Index(classes, record[1]), Predicted: slices.Index(classes, record[2]), Fold: fold}
		if a.Label < 0 || a.Predicted < 0 {
			return nil, fmt.Errorf("line %d: %q and %q are not both classes", i+1, record[1], record[2])
		}
		for _, text := range record[3:] {
			p, err := strconv.ParseFloat(text, 64)
			if err != nil || !(p >= 0 && p <= 1) {
				return nil, fmt.Errorf("line %d: %q is no probability", i+1, text)
			}
			a.Probabilities = append(a.Probabilities, p)
		}
		answers = append(answers, a)
	}
	return answers, nil
}
