package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
)

// number is a float64 that writes what is not finite as null.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

func (n *number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = number(math.NaN())
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}

// MarshalJSON writes an object with its keys in alphabetical order, {} for nil.
func (m Metrics) MarshalJSON() ([]byte, error) {
	numbers := make(map[string]number, len(m))
	for name, score := range m {
		numbers[name] = number(score)
	}
	return json.Marshal(numbers)
}

// UnmarshalJSON reads what MarshalJSON wrote, each number bit by bit.
func (m *Metrics) UnmarshalJSON(data []byte) error {
	var numbers map[string]number
	if err := json.Unmarshal(data, &numbers); err != nil {
		return err
	}
	*m = make(Metrics, len(numbers))
	for name, score := range numbers {
		(*m)[name] = float64(score)
	}
	return nil
}

// epochKeys are the names in a line of history that no metric may have.
var epochKeys = []string{"epoch", "train_loss", "seconds"}

// MarshalJSON writes one flat object: epoch, train_loss, the metrics in
// alphabetical order, seconds.
func (e Epoch) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	write := func(name string, value any) error {
		data, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("encode %s of epoch %d: %w", name, e.Epoch, err)
		}
		key, err := json.Marshal(name)
		if err != nil {
			return fmt.Errorf("encode the name of a metric: %w", err)
		}
		b.Write(append(append(append(key, ':'), data...), ','))
		return nil
	}
	b.WriteByte('{')
	err := write("epoch", e.Epoch)
	if err == nil {
		err = write("train_loss", number(e.TrainLoss))
	}
	for _, name := range slices.Sorted(maps.Keys(e.Metrics)) {
		if slices.Contains(epochKeys, name) {
			return nil, fmt.Errorf("encode epoch %d: no metric can be named %q", e.Epoch, name)
		}
		if err == nil {
			err = write(name, number(e.Metrics[name]))
		}
	}
	if err == nil && e.Seconds != 0 {
		err = write("seconds", number(e.Seconds))
	}
	if err != nil {
		return nil, err
	}
	b.Truncate(b.Len() - 1)
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON wrote: every other key is a metric.
func (e *Epoch) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	*e = Epoch{Metrics: Metrics{}}
	var trainLoss, seconds number
	for name, target := range map[string]any{"epoch": &e.Epoch, "train_loss": &trainLoss, "seconds": &seconds} {
		if raw, ok := fields[name]; ok {
			if err := json.Unmarshal(raw, target); err != nil {
				return fmt.Errorf("decode %s of an epoch: %w", name, err)
			}
			delete(fields, name)
		}
	}
	e.TrainLoss, e.Seconds = float64(trainLoss), float64(seconds)
	for name, raw := range fields {
		var score number
		if err := json.Unmarshal(raw, &score); err != nil {
			return fmt.Errorf("decode metric %q of epoch %d: %w", name, e.Epoch, err)
		}
		e.Metrics[name] = float64(score)
	}
	return nil
}

// MarshalJSON writes {"mean": 0.8, "std": 0.03}, null for what is not finite.
func (s Stat) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Mean number `json:"mean"`
		Std  number `json:"std"`
	}{number(s.Mean), number(s.Std)})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (s *Stat) UnmarshalJSON(data []byte) error {
	var fields struct{ Mean, Std number }
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	s.Mean, s.Std = float64(fields.Mean), float64(fields.Std)
	return nil
}
