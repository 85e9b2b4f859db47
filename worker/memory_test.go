package worker

import (
	"errors"
	"strings"
	"testing"

	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

func TestMicroBatchIsTheLargestThatFits(t *testing.T) {
	base := tinynet(t, 3)
	classes := []string{"a", "b", "c"}
	c := tinyConfig()
	c.Preprocessing.Resize, c.Preprocessing.Crop = plan.Size{200, 200}, 0
	c.Training.BatchSize = 48
	c.Training.ClassWeights.Balanced = true
	need := func(size int) plan.Bytes {
		job, err := plannedJob(base, c, classes, 100, 120)
		if err != nil {
			t.Fatal(err)
		}
		job.MicroBatch = size
		m, err := job.Memory()
		if err != nil {
			t.Fatal(err)
		}
		return plan.Bytes(m.Peak())
	}
	auto := c
	auto.Training.MicroBatchSize = plan.AutoMicroBatch
	sizes := []int{48, 24, 12, 6, 3, 1}
	for i, size := range sizes {
		for limit, want := range map[plan.Bytes]int{need(size): size, need(size) - 1: append(sizes, 0)[i+1]} {
			got, err := MicroBatch(base, auto, classes, 100, 120, limit)
			if got != want || (want == 0) != (err != nil) {
				t.Errorf("%d bytes allow micro-batches of %d, want %d: %v", limit, got, want, err)
			}
		}
	}
	var refused *memoryError
	if _, err := MicroBatch(base, auto, classes, 100, 120, 1<<20); !errors.As(err, &refused) || !strings.Contains(err.Error(), "one picture") || refused.ExitCode() != 2 {
		t.Errorf("a mebibyte: %v", err)
	}
	// A size that is written out is held against the limit.
	auto.Training.MicroBatchSize = 12
	if got, err := MicroBatch(base, auto, classes, 100, 120, need(12)); got != 12 || err != nil {
		t.Errorf("12 that fit: %d, %v", got, err)
	}
	if _, err := MicroBatch(base, auto, classes, 100, 120, need(12)-1); !errors.As(err, &refused) || !strings.Contains(refused.Hint(), "auto") {
		t.Errorf("12 that do not fit: %v", err)
	}
	// Training on features takes less.
	frozen := c
	frozen.Training.LRMult = plan.Factors{{Glob: "conv*"}}
	if got, err := MicroBatch(base, frozen, classes, 100, 120, need(48)-1); got != 48 || err != nil {
		t.Errorf("on features: %d, %v", got, err)
	}
	// The pass that computes the features has to fit, too.
	job, err := plannedJob(base, frozen, classes, 100, 120)
	if err != nil {
		t.Fatal(err)
	}
	pass, err := passMemory(job, frozen, 120)
	if err != nil {
		t.Fatal(err)
	}
	m, err := job.Memory()
	if err != nil {
		t.Fatal(err)
	}
	frozen.Training.BatchSize = 1
	least := plan.Bytes(m.Process + m.Model + pass)
	if got, err := MicroBatch(base, frozen, classes, 100, 120, least); got != 1 || err != nil {
		t.Errorf("with room for the pass: %d, %v", got, err)
	}
	if _, err := MicroBatch(base, frozen, classes, 100, 120, least-1); !errors.As(err, &refused) {
		t.Errorf("without room for the pass: %v", err)
	}
}

func TestSmaller(t *testing.T) {
	for n, want := range map[int]int{48: 24, 3: 1, 25: 5, 49: 7, 97: 1, 2: 1, 1: 1, 100: 50, 35: 7} {
		if got := smaller(n); got != want {
			t.Errorf("after %d comes %d, want %d", n, got, want)
		}
	}
}

var _ trainer.Features = toBeComputed{}
