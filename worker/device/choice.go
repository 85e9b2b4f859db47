package device

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Choice is which devices a worker is asked to use.
type Choice struct {
	// Auto: the CUDA devices where there are any that can be used, else the CPU.
	Auto bool
	CPU  bool
	// CUDA: all CUDA devices.
	CUDA bool
	// Some are single CUDA devices, by number or UUID, in the order in which they
	// were written.
	Some []string

	text  string // as it was written
	asker string // of what is not there, for messages
}

// String is the choice as it was written.
func (c Choice) String() string { return c.text }

// WantsCUDA tells whether CUDA devices were asked for by name.
func (c Choice) WantsCUDA() bool { return c.CUDA || len(c.Some) > 0 }

// All chooses all CUDA devices on behalf of something else than --devices.
func All(asker string) Choice { return Choice{CUDA: true, text: "cuda", asker: asker} }

// ChoiceError says what is wrong with a choice of devices.
type ChoiceError struct{ Asker, Problem, Try string }

// Error is one sentence.
func (e *ChoiceError) Error() string { return e.Asker + ": " + e.Problem }

// Hint says what to write instead.
func (e *ChoiceError) Hint() string { return e.Try }

// ExitCode is that of wrong usage.
func (e *ChoiceError) ExitCode() int { return 2 }

// forms are what can be written.
const forms = "auto, or a list of cpu, cuda (all of them), cuda:0, cuda:1, ... and cuda:UUID, as in --devices cuda:0,cpu"

// ParseChoice reads auto, or a list such as cuda:0,cuda:1,cpu. An error is a
// *ChoiceError.
func ParseChoice(text string) (Choice, error) {
	c := Choice{text: text, asker: "--devices " + text}
	var seen []string
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		if slices.Contains(seen, word) {
			return c, c.twice(word)
		}
		seen = append(seen, word)
		kind, which, single := strings.Cut(word, ":")
		switch {
		case word == "auto":
			c.Auto = true
		case word == "cpu":
			c.CPU = true
		case word == "cuda":
			c.CUDA = true
		case kind == "cuda" && single && (isNumber(which) || isUUID(which)):
			c.Some = append(c.Some, which)
		default:
			return c, &ChoiceError{c.asker, fmt.Sprintf("%q is no device", word), forms}
		}
	}
	if c.Auto && len(seen) > 1 {
		return c, &ChoiceError{c.asker, "auto chooses by itself, so it stands alone", forms}
	}
	if c.CUDA && len(c.Some) > 0 {
		return c, c.twice("cuda:" + c.Some[0])
	}
	return c, nil
}

func isNumber(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && strconv.Itoa(n) == text && n >= 0 // one way of writing each
}

func (c Choice) twice(word string) error {
	try := "name each device once: it runs one job at a time"
	if word == "cpu" {
		try = "--devices cpu --slots 2 runs two jobs at a time on the processors"
	}
	return &ChoiceError{c.asker, word + " is there twice", try}
}

// Pick finds the CUDA devices of the choice among those that there are; none for Auto.
// An error is a *ChoiceError.
func (c Choice) Pick(found Found) ([]GPU, error) {
	if !c.WantsCUDA() {
		return nil, nil
	}
	if len(found.GPUs) == 0 {
		return nil, &ChoiceError{c.asker, "this machine has no CUDA device: " + found.Looked,
			"nvidia-smi -L lists what NVIDIA's driver sees; in a container, GPUs have to be given to it (docker run --gpus all); --devices cpu trains on the processors"}
	}
	if c.CUDA {
		return found.GPUs, nil
	}
	var picked []GPU
	for _, which := range c.Some {
		var fit []GPU
		for _, g := range found.GPUs {
			if strconv.Itoa(g.Number) == which || isUUID(which) && strings.HasPrefix(g.UUID, which) {
				fit = append(fit, g)
			}
		}
		switch {
		case len(fit) == 0:
			return nil, &ChoiceError{c.asker, fmt.Sprintf("this machine has no cuda:%s; it has %s", which, found), numbering}
		case len(fit) > 1:
			return nil, &ChoiceError{c.asker, fmt.Sprintf("cuda:%s could be any of %d devices", which, len(fit)), "write more of the UUID: nvidia-smi -L prints it"}
		case slices.Contains(picked, fit[0]):
			return nil, c.twice("cuda:" + which)
		}
		picked = append(picked, fit[0])
	}
	return picked, nil
}

// numbering says what is counted.
const numbering = "numbers count from 0 along the PCI bus, or in " + visibleEnv + " where that is set"
