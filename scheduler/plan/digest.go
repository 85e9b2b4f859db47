package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// A Digest repeats what results need of many outcomes, in one object: so that a
// sweep of ten thousand jobs can be looked at without as many requests. It is never
// the truth, but outcomes never change, so that what it says of one stays right.
type Digest struct {
	Sweep string `json:"sweep"`
	// Submitted is when the sweep's plan was stored, RFC 3339: a digest that was left
	// behind when a sweep was deleted says nothing of one that is submitted again.
	Submitted string `json:"submitted"`
	Outcomes  []Gist `json:"outcomes"`
}

// Gist is an Outcome without its history and without all that is of no account in a
// table.
type Gist struct {
	Job      string        `json:"job"`
	Sweep    string        `json:"sweep"`
	Metrics  Metrics       `json:"metrics"`
	Epochs   int           `json:"epochs"`
	Attempts int           `json:"attempts"`
	Seconds  float64       `json:"seconds"`
	Probe    *ProbeOutcome `json:"probe,omitempty"`
}

// Gist is what a digest says of an outcome.
func (o *Outcome) Gist() Gist {
	return Gist{Job: o.Job, Sweep: o.Sweep, Metrics: o.Metrics, Epochs: o.Epochs, Attempts: o.Attempts, Seconds: o.Seconds, Probe: o.Probe}
}

// Outcome is the outcome as far as the gist tells.
func (g *Gist) Outcome() *Outcome {
	return &Outcome{Job: g.Job, Sweep: g.Sweep, Metrics: g.Metrics, Epochs: g.Epochs, Attempts: g.Attempts, Seconds: g.Seconds, Probe: g.Probe}
}

// Histories are those of the outcomes of a digest.
type Histories struct {
	Sweep     string    `json:"sweep"`
	Histories []History `json:"histories"`
}

// History is a job's history by columns, which take a fraction of the space and time
// of lines.
type History struct {
	Job       string            `json:"job"`
	Epoch     []int             `json:"epoch,omitempty"`
	TrainLoss column            `json:"train_loss,omitempty"`
	Seconds   column            `json:"seconds,omitempty"`
	Metrics   map[string]column `json:"metrics,omitempty"`
	// Lines are the history where its lines have not all the same metrics.
	Lines []Epoch `json:"lines,omitempty"`
}

// NewHistory turns lines into columns. The history keeps to the lines.
func NewHistory(job string, lines []Epoch) History {
	h := History{Job: job, Metrics: map[string]column{}}
	for i, line := range lines {
		if len(line.Metrics) != len(lines[0].Metrics) {
			return History{Job: job, Lines: lines}
		}
		for name, score := range line.Metrics {
			if len(h.Metrics[name]) != i {
				return History{Job: job, Lines: lines}
			}
			h.Metrics[name] = append(h.Metrics[name], score)
		}
		h.Epoch, h.TrainLoss, h.Seconds = append(h.Epoch, line.Epoch), append(h.TrainLoss, line.TrainLoss), append(h.Seconds, line.Seconds)
	}
	return h
}

// Epochs are the lines of the history.
func (h *History) Epochs() ([]Epoch, error) {
	if h.Lines != nil {
		return h.Lines, nil
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	lines := make([]Epoch, len(h.Epoch))
	for i := range lines {
		m := make(Metrics, len(h.Metrics))
		for name, scores := range h.Metrics {
			m[name] = scores[i]
		}
		lines[i] = Epoch{Epoch: h.Epoch[i], TrainLoss: h.TrainLoss[i], Metrics: m, Seconds: h.Seconds[i]}
	}
	return lines, nil
}

// Curve is one metric by line, NaN where there is none.
func (h *History) Curve(metric string) ([]float64, error) {
	curve := make([]float64, len(h.Lines))
	for i, line := range h.Lines {
		score, there := line.Metrics[metric]
		if curve[i] = score; !there {
			curve[i] = math.NaN()
		}
	}
	if h.Lines != nil {
		return curve, nil
	}
	if err := h.check(); err != nil {
		return nil, err
	}
	if scores, there := h.Metrics[metric]; there {
		return scores, nil
	}
	curve = make([]float64, len(h.Epoch))
	for i := range curve {
		curve[i] = math.NaN()
	}
	return curve, nil
}

func (h *History) check() error {
	whole := len(h.TrainLoss) == len(h.Epoch) && len(h.Seconds) == len(h.Epoch)
	for _, scores := range h.Metrics {
		whole = whole && len(scores) == len(h.Epoch)
	}
	if !whole {
		return fmt.Errorf("the columns of job %s's history are not of one length", h.Job)
	}
	return nil
}

// column is numbers of which those that are not finite are null. encoding/json
// spends most of the time that reading takes on lists of such numbers.
type column []float64

func (c column) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, x := range c {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, x, 'g', -1, 64)
		}
	}
	return append(b, ']'), nil
}

func (c *column) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) < 2 || data[0] != '[' {
		return fmt.Errorf("%.40s is no list of numbers", data)
	}
	data = data[1 : len(data)-1]
	*c = make(column, 0, bytes.Count(data, []byte{','})+1)
	if len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	for field := range bytes.SplitSeq(data, []byte{','}) {
		x := math.NaN()
		if field = bytes.TrimSpace(field); string(field) != "null" {
			var err error
			if x, err = strconv.ParseFloat(string(field), 64); err != nil {
				return fmt.Errorf("%.40s is no number: %w", field, err)
			}
		}
		*c = append(*c, x)
	}
	return nil
}

// ReadHistories reads the JSON of Histories one job at a time, however many there are.
func ReadHistories(d *json.Decoder, visit func(*History) error) error {
	for key := ""; key != "histories"; {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("read histories: %w", err)
		}
		key, _ = token.(string)
	}
	if _, err := d.Token(); err != nil { // [
		return fmt.Errorf("read histories: %w", err)
	}
	for d.More() {
		h := new(History)
		if err := d.Decode(h); err != nil {
			return fmt.Errorf("read histories: %w", err)
		}
		if err := visit(h); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil { // ]: what is cut off is an error
		return fmt.Errorf("read histories: %w", err)
	}
	return nil
}
