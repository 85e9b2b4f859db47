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
	"strings"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer"
)

const (
	// keepCheckpoints are kept while a job runs: the newest, and the one before
	// it should the newest turn out to be damaged.
	keepCheckpoints = 2
	tensorsSuffix   = ".safetensors"
	pointerSuffix   = ".json"
)

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
	saved   func(key string)
	log     *slog.Logger
	// patience is how long a store that is not available is waited for before
	// the training is given up for it.
	patience time.Duration
}

// Save writes the tensors, then the pointer, then removes what is older than
// the checkpoint before.
func (c *checkpoints) Save(ck trainer.Checkpoint) error {
	// The attempt is part of the name: two attempts that are run by mistake at
	// the same time must not mix their halves.
	name := fmt.Sprintf("%s%06d-%08d-%04d", plan.CheckpointPrefix(c.job), ck.Epoch, ck.Step, c.attempt)
	size, err := trainer.CheckpointSize(ck)
	if err != nil {
		return err
	}
	p := pointer{Epoch: ck.Epoch, Step: ck.Step, Object: name + tensorsSuffix, Size: size}
	err = patiently(c.ctx, c.patience, c.log, func() error {
		if p.SHA256, err = c.put(p.Object, ck, size); err != nil {
			return err
		}
		return artifacts.PutJSON(c.ctx, c.store, name+pointerSuffix, p)
	})
	if err != nil {
		return err
	}
	c.saved(p.Object)
	if err := pruneCheckpoints(c.ctx, c.store, c.job, keepCheckpoints); err != nil {
		c.log.Warn("old checkpoints are not removed", "error", err)
	}
	return nil
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
	names, _, err := listCheckpoints(c.ctx, c.store, job)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
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
	if err := artifacts.GetJSON(c.ctx, c.store, name+pointerSuffix, &p); err != nil {
		return nil, err
	}
	r, info, err := c.store.Get(c.ctx, name+tensorsSuffix)
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

// listCheckpoints returns the names, without suffix, of the checkpoints that
// have a pointer, oldest first, and all keys under their prefix.
func listCheckpoints(ctx context.Context, s artifacts.Store, job string) (names, keys []string, err error) {
	for info, err := range s.List(ctx, plan.CheckpointPrefix(job)) {
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, info.Key)
		if name, ok := strings.CutSuffix(info.Key, pointerSuffix); ok {
			names = append(names, name)
		}
	}
	return names, keys, nil
}

// pruneCheckpoints removes all but the newest checkpoints, and the tensors of
// older ones that never got a pointer. Pointers go before what they point at.
func pruneCheckpoints(ctx context.Context, s artifacts.Store, job string, keep int) error {
	names, keys, err := listCheckpoints(ctx, s, job)
	if err != nil {
		return err
	}
	oldest := plan.CheckpointPrefix(job) + "~" // after every name
	if keep > 0 {
		if len(names) <= keep {
			return nil
		}
		oldest = names[len(names)-keep]
	}
	for _, suffix := range []string{pointerSuffix, tensorsSuffix} {
		for _, key := range keys {
			if name, ok := strings.CutSuffix(key, suffix); ok && name < oldest {
				if err := s.Delete(ctx, key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
