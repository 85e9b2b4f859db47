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
	// Train: a small network is trained too.
	Train bool `json:"train,omitempty"`
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
	// Losses are those of training and of evaluation after each epoch, in turns, of one
	// network after the other.
	Losses []float64 `json:"losses,omitempty"`
	// StepSeconds is the time of a step of training, the mean over the networks.
	StepSeconds float64 `json:"step_seconds,omitempty"`
	Error       string  `json:"error,omitempty"`
	Hint        string  `json:"hint,omitempty"` // what to try
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

// Deviation is the largest difference of a loss from that of a reference, as a part
// of the latter; infinite where a loss is no number. False: not all are there.
func (a Answer) Deviation(reference Answer) (largest float64, ok bool) {
	if len(a.Losses) == 0 || len(a.Losses) != len(reference.Losses) {
		return 0, false
	}
	for i, loss := range a.Losses {
		d := math.Abs(loss-reference.Losses[i]) / math.Abs(reference.Losses[i])
		if math.IsNaN(d) {
			return math.Inf(1), true
		}
		largest = max(largest, d)
	}
	return largest, true
}
