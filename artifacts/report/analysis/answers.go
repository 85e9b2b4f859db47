package analysis

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// ReadAnswers reads a job's predictions, as artifacts/FORMAT.md describes them. Of more
// than plan.MostDense classes the answers are in brief: all probabilities of all
// pictures would take gigabytes.
func ReadAnswers(r io.Reader, classes []string, fold int) ([]stats.Answer, error) {
	lines := csv.NewReader(r)
	lines.ReuseRecord = true
	header, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(header) != 3+len(classes) {
		return nil, fmt.Errorf("%d columns for %d classes", len(header), len(classes))
	}
	number := make(map[string]int, len(classes))
	for i, class := range classes {
		number[class] = i
	}
	var answers []stats.Answer
	for line := 2; ; line++ {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return answers, nil
		}
		if err != nil {
			return nil, err
		}
		a, err := readAnswer(record, number)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if len(classes) > plan.MostDense {
			a = a.InBrief()
		}
		a.Fold = fold
		answers = append(answers, a)
	}
}

func readAnswer(record []string, classes map[string]int) (stats.Answer, error) {
	label, known := classes[record[1]]
	predicted, also := classes[record[2]]
	if !known || !also {
		return stats.Answer{}, fmt.Errorf("%q and %q are not both classes", record[1], record[2])
	}
	// The record is used again, and its fields are parts of one string.
	a := stats.Answer{File: strings.Clone(record[0]), Label: label, Predicted: predicted, Probabilities: make([]float64, 0, len(classes))}
	for _, text := range record[3:] {
		p, err := strconv.ParseFloat(text, 64)
		if err != nil || !(p >= 0 && p <= 1) {
			return stats.Answer{}, fmt.Errorf("%q is no probability", text)
		}
		a.Probabilities = append(a.Probabilities, p)
	}
	return a, nil
}
