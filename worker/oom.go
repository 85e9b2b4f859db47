package worker

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"orchestrator/scheduler/plan"
)

// countOOMKills is how many processes the kernel has ended for want of memory: in
// this control group, or else on this machine; 0 where the system does not say.
func countOOMKills() int64 {
	if group, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		_, path, _ := strings.Cut(string(group), "0::")
		path, _, _ = strings.Cut(path, "\n")
		if events, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", path, "memory.events")); err == nil {
			return counter(events, "oom_kill")
		}
	}
	stat, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return 0
	}
	return counter(stat, "oom_kill")
}

// counter finds a number in lines of a name and a number.
func counter(text []byte, name string) int64 {
	for line := range bytes.Lines(text) {
		var n int64
		if _, err := fmt.Sscanf(string(line), name+" %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// onePicture reports whether nothing can be done in smaller parts.
func onePicture(s plan.Spec) bool {
	t, eval := s.Config.Training, s.Config.Evaluation.BatchSize
	rows := int(t.MicroBatchSize)
	if rows == 0 {
		rows = t.BatchSize
	}
	return min(rows, len(s.Train)) == 1 && (eval == 0 || min(eval, len(s.Test)) == 1)
}

// memoryHint says what needs less memory.
func memoryHint(s plan.Spec) string {
	if onePicture(s) {
		return "run fewer jobs at a time (worker --slots), take a machine with more memory, freeze lower layers, or use smaller pictures"
	}
	return "set training.micro_batch_size: auto and resources.memory, or a smaller number; or run fewer jobs at a time (worker --slots)"
}

// hint is what may help, as the trainer process said it or as its end tells.
func (x exit) hint(s plan.Spec) string {
	if x.memory && x.last.Hint == "" {
		return memoryHint(s)
	}
	return x.last.Hint
}
