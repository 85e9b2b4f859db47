package plan

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The suffixes of the two objects that make a checkpoint.
const (
	TensorsSuffix = ".safetensors"
	PointerSuffix = ".json"
)

// CheckpointID names one of a job's checkpoints. The order of IDs of one job
// (CompareCheckpoints) is that of progress, and that of their keys.
type CheckpointID struct {
	Job     string
	Epoch   int // epochs completed
	Step    int // steps completed in the epoch after those
	Attempt int // that wrote it: two that run by mistake at the same time must not mix their halves
}

// Key is that of the checkpoint's objects, without their suffixes.
func (c CheckpointID) Key() string {
	return fmt.Sprintf("%s%06d-%08d-%04d", CheckpointPrefix(c.Job), c.Epoch, c.Step, c.Attempt)
}

// ParseCheckpoint reads the key of one of a checkpoint's objects; suffix is what
// it has beyond that of the checkpoint. What no worker has written is not ok.
func ParseCheckpoint(job, key string) (c CheckpointID, suffix string, ok bool) {
	c.Job = job
	name, found := strings.CutPrefix(key, CheckpointPrefix(job))
	if !found {
		return c, "", false
	}
	name, suffix, _ = strings.Cut(name, ".")
	suffix = "." + suffix
	if _, err := fmt.Sscanf(name, "%d-%d-%d", &c.Epoch, &c.Step, &c.Attempt); err != nil {
		return c, "", false
	}
	return c, suffix, c.Key()+suffix == key && (suffix == TensorsSuffix || suffix == PointerSuffix)
}

// CompareCheckpoints orders checkpoints of one job, the oldest first.
func CompareCheckpoints(a, b CheckpointID) int {
	return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(a.Step, b.Step), cmp.Compare(a.Attempt, b.Attempt))
}

// Retained says which checkpoints of a training are kept: the newest `latest` of
// job, and the SaveTrialBest best epochs by the metric, wherever in all they are;
// all holds the checkpoints of the job and of the rungs that led to it, history
// at least the epochs that they come after. Of equal epochs the earlier one is
// better; one whose score is no number is none of the best. A checkpoint from
// the middle of an epoch has no score.
func (c Checkpoints) Retained(m Metric, job string, latest int, history []Epoch, all []CheckpointID) map[CheckpointID]bool {
	kept := map[CheckpointID]bool{}
	byEpoch := map[int]CheckpointID{}
	var own []CheckpointID
	for _, id := range all {
		if id.Job == job {
			own = append(own, id)
		}
		// Several of one epoch hold the same; the job's own newest is preferred.
		best, there := byEpoch[id.Epoch]
		if id.Step == 0 && (!there || id.Job == best.Job && CompareCheckpoints(id, best) > 0 || id.Job == job && best.Job != job) {
			byEpoch[id.Epoch] = id
		}
	}
	slices.SortFunc(own, CompareCheckpoints)
	for _, id := range own[max(0, len(own)-latest):] {
		kept[id] = true
	}
	for _, epoch := range bestEpochs(m, history, byEpoch, c.SaveTrialBest) {
		kept[byEpoch[epoch]] = true
	}
	return kept
}

// bestEpochs are the n best of the epochs that have a checkpoint.
func bestEpochs(m Metric, history []Epoch, have map[int]CheckpointID, n int) []int {
	type scored struct {
		epoch int
		score float64 // greater is better
	}
	var all []scored
	for _, line := range history {
		score, there := line.Metrics[m.Name]
		if m.Goal == "minimize" {
			score = -score
		}
		if _, saved := have[line.Epoch]; saved && there && !math.IsNaN(score) {
			all = append(all, scored{line.Epoch, score})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.epoch, b.epoch))
	})
	var best []int
	for _, s := range all[:min(n, len(all))] {
		best = append(best, s.epoch)
	}
	return best
}
