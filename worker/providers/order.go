package providers

import (
	"math"

	"orchestrator/trainer/ort"
)

// Order is what a process is to try.
type Order struct {
	Library string     `json:"library,omitempty"` // of ONNX Runtime; empty: package ort looks for it
	Device  string     `json:"device"`            // one of ort.Devices
	Tuning  ort.Tuning `json:"tuning"`
	// Train are builtin networks to train, as Networks.
	Train []string `json:"train,omitempty"`
}

// Answer is what it found.
type Answer struct {
	Device string `json:"device"`
	// Providers are those that the library was built with, by its own names; none
	// where it cannot be loaded.
	Providers []string `json:"providers,omitempty"`
	Library   string   `json:"library,omitempty"` // its path
	Version   string   `json:"version,omitempty"` // its version
	// Versions are of the libraries that the provider has loaded.
	Versions map[string]string `json:"versions,omitempty"`
	// Opens: the provider can be used, and convolves rightly.
	Opens bool `json:"opens"`
	// LeftToCPU are the nodes that it does not compute.
	LeftToCPU []ort.Placement `json:"left_to_cpu,omitempty"`
	// Trained are small networks that were trained, where the order says so.
	Trained []Trained `json:"trained,omitempty"`
	Error   string    `json:"error,omitempty"`
	Hint    string    `json:"hint,omitempty"` // what to try
}

// Trained is what became of the training of a small network.
type Trained struct {
	Network string `json:"network"` // a builtin one
	// Losses are those of training and of evaluation after each epoch, in turns.
	Losses []float64 `json:"losses,omitempty"`
	// StepSeconds is the time of a step, once the first epoch is over.
	StepSeconds float64 `json:"step_seconds,omitempty"`
	Error       string  `json:"error,omitempty"`
}

// Left is how many nodes are left to the CPU.
func (a Answer) Left() (n int) {
	for _, p := range a.LeftToCPU {
		n += len(p.Nodes)
	}
	return n
}

// Failure is what the answer says against the provider; nil where it does not.
func (a Answer) Failure() error {
	if a.Error == "" {
		return nil
	}
	return &Failure{a}
}

// Failure says why a provider cannot be used.
type Failure struct{ Answer Answer }

// Error is the reason.
func (e *Failure) Error() string { return e.Answer.Error }

// Hint is what may help.
func (e *Failure) Hint() string { return e.Answer.Hint }

// ExitCode is that of a wrong configuration.
func (e *Failure) ExitCode() int { return 2 }

// Compared is how training on one provider compares with that on another.
type Compared struct {
	// Deviation is the largest difference of a loss, as a part of the reference's;
	// infinite where a loss is no number.
	Deviation float64
	// StepTime is the time of a step in times of the reference's.
	StepTime float64
}

// Compare compares the networks that both have trained. False: there are none.
func (a Answer) Compare(reference Answer) (c Compared, ok bool) {
	var time, its float64
	for _, own := range a.Trained {
		for _, other := range reference.Trained {
			if own.Network != other.Network || own.Error != "" || other.Error != "" || len(own.Losses) != len(other.Losses) {
				continue
			}
			ok = true
			time, its = time+own.StepSeconds, its+other.StepSeconds
			c.Deviation = max(c.Deviation, deviation(own.Losses, other.Losses))
		}
	}
	c.StepTime = time / its
	return c, ok
}

// deviation is the largest of as many losses as there are of the reference.
func deviation(losses, reference []float64) (largest float64) {
	for i, loss := range losses {
		d := math.Abs(loss-reference[i]) / math.Abs(reference[i])
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		largest = max(largest, d)
	}
	return largest
}
