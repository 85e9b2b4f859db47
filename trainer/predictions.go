package trainer

import (
	"encoding/csv"
	"io"
	"strconv"
)

// WritePredictions writes predictions as CSV, with a line for each picture: its
// file, its class, the predicted class, and each class's probability in the fewest
// digits that give the same float32. artifacts/FORMAT.md describes it.
func WritePredictions(to io.Writer, classes []string, file func(sample int) string, predictions []Prediction) error {
	w := csv.NewWriter(to)
	header := []string{"file", "label", "predicted"}
	for _, c := range classes {
		header = append(header, "probability:"+c)
	}
	if err := w.Write(header); err != nil {
		return err
	}
	for _, p := range predictions {
		record := []string{file(p.Sample), classes[p.Label], classes[p.Predicted]}
		for _, x := range p.Probabilities {
			record = append(record, strconv.FormatFloat(float64(x), 'g', -1, 32))
		}
		if err := w.Write(record); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
