package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

// keepCheckpoints are kept at least while a job runs: the newest, and the one before
// it should the newest turn out to be damaged.
const keepCheckpoints = 2

// pointer is the small object beside a checkpoint's tensors. It is written after
// them, so that a checkpoint with a pointer was once complete, and it tells
// whether it still is.
type pointer struct {
	Epoch  int    `json:"epoch"` // epochs completed
	Step   int    `json:"step"`  // steps completed in the epoch after those
	Object string `json:"object"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// checkpoints keeps a job's checkpoints in the artifact store. It implements
// trainer.Checkpoints.
type checkpoints struct {
	ctx     context.Context
	store   artifacts.Store
	job     string
	alike   []string // jobs whose checkpoints are as good as this one's
	attempt int
	keep    plan.Checkpoints
	metric  plan.Metric
	saved   func(key string)
	log     *slog.Logger
	// patience is how long a store that is not available is waited for before
	// the training is given up for it.
	patience time.Duration
	meter    *meter // nil: nothing is measured
}

// Save writes the tensors, then the pointer, then removes older checkpoints that
// nobody wants kept.
func (c *checkpoints) Save(ck trainer.Checkpoint) error {
	name := plan.CheckpointID{Job: c.job, Epoch: ck.Epoch, Step: ck.Step, Attempt: c.attempt}.Key()
	size, err := trainer.CheckpointSize(ck)
	if err != nil {
		return err
	}
	began := time.Now()
	p := pointer{Epoch: ck.Epoch, Step: ck.Step, Object: name + plan.TensorsSuffix, Size: size}
	err = patiently(c.ctx, c.patience, c.log, func() error {
		if p.SHA256, err = c.put(p.Object, ck, size); err != nil {
			return err
		}
		return artifacts.PutJSON(c.ctx, c.store, name+plan.PointerSuffix, p)
	})
	if err != nil {
		return err
	}
	c.meter.checkpoint(time.Since(began), size)
	c.saved(p.Object)
	if err := c.prune(ck.History); err != nil {
		c.log.Warn("old checkpoints are not removed", "error", err)
	}
	return nil
}

// prune removes what a job that runs needs no more. Those of the rungs before it
// stay until it has an outcome.
func (c *checkpoints) prune(history []trainer.EpochResult) error {
	var lines []plan.Epoch
	for _, e := range history {
		lines = append(lines, planEpoch(e, []string{c.metric.Name}))
	}
	return pruneCheckpoints(c.ctx, c.store, c.job, nil, func(all []plan.CheckpointID) map[plan.CheckpointID]bool {
		return c.keep.Retained(c.metric, c.job, max(keepCheckpoints, c.keep.SaveTrialLatest), lines, all)
	})
}

// put streams the checkpoint into the store, hashing on the way.
func (c *checkpoints) put(key string, ck trainer.Checkpoint, size int64) (digest string, err error) {
	r, w := io.Pipe()
	encoded := make(chan struct{})
	go func() {
		defer close(encoded)
		w.CloseWithError(trainer.EncodeCheckpoint(w, ck))
	}()
	h := sha256.New()
	err = c.store.Put(c.ctx, key, io.TeeReader(r, h), size)
	_ = r.Close()
	<-encoded // the tensors are the trainer's again once Save returns
	return hex.EncodeToString(h.Sum(nil)), err
}

// Latest returns the newest checkpoint that verifies, of this job or else of one
// that trains alike. One that does not verify is skipped; a store that does not answer is an error, as there may well be a
// checkpoint in it.
func (c *checkpoints) Latest() (ck *trainer.Checkpoint, err error) {
	err = patiently(c.ctx, c.patience, c.log, func() error {
		if ck, err = c.latest(c.job); ck != nil || err != nil {
			return err
		}
		for _, job := range c.alike {
			other, err := c.latest(job)
			if err != nil {
				return err
			}
			if other != nil && (ck == nil || other.Epoch > ck.Epoch) {
				ck = other
			}
		}
		return nil
	})
	return ck, err
}

func (c *checkpoints) latest(job string) (*trainer.Checkpoint, error) {
	all, _, err := listCheckpoints(c.ctx, c.store, job)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Backward(all) {
		name := id.Key()
		ck, err := c.load(name)
		if errors.Is(err, artifacts.ErrUnavailable) || errors.Is(err, artifacts.ErrDenied) || c.ctx.Err() != nil {
			return nil, err
		}
		if err == nil {
			c.log.Info("resuming from a checkpoint", "checkpoint", name, "epoch", ck.Epoch, "step", ck.Step)
			return ck, nil
		}
		c.log.Warn("skipping a checkpoint that does not verify", "checkpoint", name, "error", err)
	}
	return nil, nil
}

func (c *checkpoints) load(name string) (*trainer.Checkpoint, error) {
	var p pointer
	if err := artifacts.GetJSON(c.ctx, c.store, name+plan.PointerSuffix, &p); err != nil {
		return nil, err
	}
	r, info, err := c.store.Get(c.ctx, name+plan.TensorsSuffix)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	if info.Size != p.Size {
		return nil, fmt.Errorf("%d bytes instead of %d", info.Size, p.Size)
	}
	h := sha256.New()
	ck, err := trainer.DecodeCheckpoint(io.TeeReader(r, h))
	if err != nil {
		return nil, err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 {
		return nil, fmt.Errorf("the SHA-256 is %s instead of %s", got, p.SHA256)
	}
	return ck, nil
}

// listCheckpoints returns the checkpoints that have a pointer, oldest first, and
// all keys under their prefix.
func listCheckpoints(ctx context.Context, s artifacts.Store, job string) (complete []plan.CheckpointID, keys []string, err error) {
	for info, err := range s.List(ctx, plan.CheckpointPrefix(job)) {
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, info.Key)
		if id, suffix, ok := plan.ParseCheckpoint(job, info.Key); ok && suffix == plan.PointerSuffix {
			complete = append(complete, id)
		}
	}
	return complete, keys, nil
}

// pruneCheckpoints removes the checkpoints of a job, and of the rungs that led to
// it, that are not retained, and tensors that never got a pointer and are older than
// the job's newest checkpoints, of which a number is retained. Pointers go before
// what they point at.
func pruneCheckpoints(ctx context.Context, s artifacts.Store, job string, rungs []string, retained func([]plan.CheckpointID) map[plan.CheckpointID]bool) error {
	var complete []plan.CheckpointID
	keys := map[string][]string{}
	for _, j := range append([]string{job}, rungs...) {
		ids, there, err := listCheckpoints(ctx, s, j)
		if err != nil {
			return err
		}
		complete, keys[j] = append(complete, ids...), there
	}
	kept := retained(complete)
	for _, suffix := range []string{plan.PointerSuffix, plan.TensorsSuffix} {
		for j, there := range keys {
			for _, key := range there {
				id, of, ok := plan.ParseCheckpoint(j, key)
				if !ok || of != suffix || kept[id] || !slices.Contains(complete, id) && j == job && !outdated(id, kept) {
					continue
				}
				if err := s.Delete(ctx, key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// outdated tells whether all that is kept of the job is newer, so that whoever wrote
// tensors without a pointer is not writing them now; where nothing is kept the job
// is over.
func outdated(id plan.CheckpointID, kept map[plan.CheckpointID]bool) bool {
	newest := plan.CheckpointID{Job: id.Job}
	none := true
	for k := range kept {
		if k.Job == id.Job && (none || plan.CompareCheckpoints(k, newest) > 0) {
			newest, none = k, false
		}
	}
	return none || plan.CompareCheckpoints(id, newest) < 0
}
