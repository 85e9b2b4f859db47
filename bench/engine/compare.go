package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Goals of whole steps on a device.
const (
	goalTime    = 1.0  // our time of a step, as a part of PyTorch's
	goalTraffic = 1.25 // bytes between the memories in a step, as a part of the mini-batch's
)

// tolerance is how far the losses of the first steps may be from those of the CPU in
// float32, as a part of them: about what the precision's rounding makes of them.
var tolerance = map[string]float64{"float32": 1e-3, "tf32": 1e-2, "float16": 1e-2, "bfloat16": 5e-2}

// line is one network in one precision, in the table and in the report.
type line struct {
	Case      string `json:"case"`
	Precision string `json:"precision"`
	Ours      whole  `json:"ours"`
	Other     whole  `json:"other"` // PyTorch's, or the CPU's
	// Seconds are medians of the steps after the first ones.
	OurSeconds   float64  `json:"our_seconds,omitempty"`
	TorchSeconds float64  `json:"torch_seconds,omitempty"`
	Ratio        float64  `json:"ratio,omitempty"`
	Deviation    float64  `json:"loss_deviation,omitempty"` // of the losses, as a part
	Traffic      float64  `json:"traffic,omitempty"`        // as a part of the mini-batch
	Missed       []string `json:"missed"`                   // the goals that are not met
}

func (l *line) miss(format string, args ...any) {
	l.Missed = append(l.Missed, fmt.Sprintf(format, args...))
}

func (l *line) verdict() string {
	if len(l.Missed) > 0 {
		return "MISS: " + strings.Join(l.Missed, "; ")
	}
	return "pass"
}

// finish writes the report, and is an error where a goal is missed.
func (c comparison) finish(lines []*line) error {
	if c.report != "" {
		text, err := json.MarshalIndent(map[string]any{"device": c.device, "deterministic": c.deterministic, "rounds": c.rounds, "steps": c.steps, "cases": lines}, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.report, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	missed := 0
	for _, l := range lines {
		if len(l.Missed) > 0 {
			missed++
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d of %d miss a goal", missed, len(lines))
	}
	return nil
}

// wholes compares whole steps with PyTorch's.
func (c comparison) wholes(cases []benchCase) error {
	fmt.Printf("%-14s %-9s %12s %12s %8s %10s %10s\n", "network:batch", "precision", "ours s/step", "torch s/step", "ratio", "ours MB", "torch MB")
	var all []*line
	for _, one := range cases {
		lines, err := c.rounded(one)
		if err != nil {
			return err
		}
		for _, l := range lines {
			if l.Ratio > goalTime {
				l.miss("slower than PyTorch")
			}
			fmt.Printf("%-14s %-9s %12.4f %12.4f %8.2f %10s %10s  %s\n", l.Case, l.Precision, l.OurSeconds, l.TorchSeconds, l.Ratio,
				megabytes(l.Ours.Memory), megabytes(l.Other.Memory), l.verdict())
		}
		all = append(all, lines...)
	}
	return c.finish(all)
}

// rounded lets both sides take turns in one network.
func (c comparison) rounded(one benchCase) ([]*line, error) {
	lines := make([]*line, len(c.precisions))
	for i, p := range c.precisions {
		lines[i] = &line{Case: one.name, Precision: p}
	}
	for range c.rounds {
		ours, err := c.ours(one, c.device, c.precisions, false, c.steps)
		if err != nil {
			return nil, err
		}
		torch, err := ask(exec.Command(c.python, c.script, one.network, strconv.Itoa(one.batch), strconv.Itoa(c.steps), c.device, strings.Join(c.precisions, ",")))
		if err != nil {
			return nil, err
		}
		for i, l := range lines {
			l.Ours.add(ours[i], c.warm())
			l.Other.add(torch[i], c.warm())
		}
	}
	for _, l := range lines {
		if l.Ours.Error+l.Other.Error != "" {
			l.miss("%s", strings.Trim(l.Ours.Error+" PyTorch: "+l.Other.Error, " "))
			continue
		}
		l.OurSeconds, l.TorchSeconds = median(l.Ours.Seconds), min(median(l.Other.Seconds), l.Other.Stream)
		l.Ratio = l.OurSeconds / l.TorchSeconds
	}
	return lines, nil
}

// warm is how many steps are not counted: choosing kernels, growing memory.
func (c comparison) warm() int { return max(2, c.steps/4) }

// add takes a round's steps, and of what is one number the lowest.
func (w *whole) add(round whole, warm int) {
	first := w.Seconds == nil
	w.Error += round.Error
	if round.Error != "" {
		return
	}
	w.Precision, w.Losses, w.LeftToCPU, w.Batch = round.Precision, round.Losses, round.LeftToCPU, round.Batch
	w.ToDevice, w.ToHost, w.Memory = round.ToDevice, round.ToHost, max(w.Memory, round.Memory)
	w.Seconds = append(w.Seconds, round.Seconds[min(warm, len(round.Seconds)-1):]...)
	if len(round.Data) > 0 {
		w.Data = append(w.Data, round.Data[min(warm, len(round.Data)-1):]...)
	}
	if first || round.Stream < w.Stream {
		w.Stream = round.Stream
	}
}

// checks compares the losses of the first steps with the CPU's in float32, up to the
// first step that float16 skips, and says
// what is not done on the device and what goes between the memories.
func (c comparison) checks(cases []benchCase) error {
	fmt.Printf("%-14s %-9s %10s %10s %9s %6s %13s %13s %8s\n", "network:batch", "precision", "first loss", "last loss", "deviation", "of", "bytes/step", "batch bytes", "on CPU")
	var all []*line
	for _, one := range cases {
		reference, err := c.ours(one, "cpu", []string{"float32"}, false, c.steps)
		if err != nil {
			return err
		}
		// A processor stands in for a GPU.
		found, err := c.ours(one, c.device, c.precisions, c.device == "cpu", c.steps)
		if err != nil {
			return err
		}
		for i, precision := range c.precisions {
			l := &line{Case: one.name, Precision: precision, Ours: found[i], Other: reference[0]}
			l.check()
			all = append(all, l)
			fmt.Printf("%-14s %-9s %10.4f %10.4f %9.1e %6d %13d %13d %8d  %s\n", l.Case, precision, at(l.Ours.Losses, 0), at(l.Ours.Losses, -1), l.Deviation, l.Ours.comparable(),
				l.Ours.ToDevice+l.Ours.ToHost, l.Ours.Batch, l.Ours.left(), l.verdict())
		}
	}
	return c.finish(all)
}

// check looks for the goals that a line misses.
func (l *line) check() {
	if problem := l.Ours.Error + l.Other.Error; problem != "" {
		l.miss("%s", problem)
		return
	}
	for i, loss := range l.Ours.Losses[:l.Ours.comparable()] {
		reference := l.Other.Losses[i]
		l.Deviation = max(l.Deviation, math.Abs(loss-reference)/max(math.Abs(reference), 1e-6))
	}
	l.Traffic = float64(l.Ours.ToDevice+l.Ours.ToHost) / float64(l.Ours.Batch)
	if l.Deviation > tolerance[l.Precision] {
		l.miss("losses are off by more than %g", tolerance[l.Precision])
	}
	if l.Traffic > goalTraffic {
		l.miss("%.2f times the mini-batch goes between the memories", l.Traffic)
	}
	for _, p := range l.Ours.LeftToCPU {
		l.miss("left to the CPU: %v", p)
	}
}

// comparable is how many losses are of the same updates as the reference's: a step that
// is skipped is the last.
func (w *whole) comparable() int {
	if len(w.Skipped) > 0 {
		return w.Skipped[0] + 1
	}
	return len(w.Losses)
}

func (w *whole) left() (n int) {
	for _, p := range w.LeftToCPU {
		n += len(p.Nodes)
	}
	return n
}

// ours has a process train the steps.
func (c comparison) ours(one benchCase, device string, precisions []string, own bool, steps int) ([]whole, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return ask(exec.Command(self, "-models", c.models, "-steps", strconv.Itoa(steps), "-device", device, "-precision", strings.Join(precisions, ","),
		"-deterministic="+strconv.FormatBool(c.deterministic), "-own-memory="+strconv.FormatBool(own), "-child", one.name))
}

// ask runs a side and reads its answer, one for each precision.
func ask(cmd *exec.Cmd) ([]whole, error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	var answer []whole
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return answer, nil
}

// at is an element, from the end where i is negative; NaN where there is none.
func at(x []float64, i int) float64 {
	if i < 0 {
		i += len(x)
	}
	if i < 0 || i >= len(x) {
		return math.NaN()
	}
	return x[i]
}

func megabytes(bytes int64) string {
	if bytes <= 0 {
		return "-"
	}
	return strconv.FormatInt(bytes/1e6, 10)
}
