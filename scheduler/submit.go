package scheduler

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// Upload is an object that a plan refers to: its data set or a base model.
type Upload struct {
	Ref  plan.Ref
	Open func() (io.ReadCloser, error) // called only where the store lacks it
}

// Submitted says what a submission did.
type Submitted struct {
	Sweep    string `json:"sweep"`
	Existed  bool   `json:"existed"`  // the sweep had been submitted before
	Uploaded int64  `json:"uploaded"` // bytes; the rest was in the store already
	Report
}

// Submit stores a plan with all that it refers to, and enqueues its jobs. The
// sweep exists once its plan is stored, which comes after everything that its
// jobs need: a submission that is killed leaves nothing half-visible. Submit
// may be called again, after an error or after success.
//
// A sweep that was canceled stays so; Resume takes it up again.
func (s *Scheduler) Submit(ctx context.Context, p *plan.Plan, uploads []Upload) (*Submitted, error) {
	done := &Submitted{Sweep: p.ID}
	marks, err := s.collections(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.supply(ctx, p, uploads, done); err != nil {
		return nil, err
	}
	switch err := artifacts.CreateJSON(ctx, s.Store, plan.PlanKey(p.ID), p); {
	case errors.Is(err, artifacts.ErrExists):
		if err := s.checkSame(ctx, p); err != nil {
			return nil, err
		}
		done.Existed = true
	case err != nil:
		return nil, fmt.Errorf("store the plan of sweep %s: %w", p.ID, err)
	}
	switch again, err := s.collected(ctx, marks); {
	case err != nil:
		return nil, err
	case again:
		if err := s.supply(ctx, p, uploads, done); err != nil {
			return nil, err
		}
	}
	report, err := s.Reconcile(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	done.Report = report
	return done, s.arrange(ctx)
}

// supply stores what a plan refers to, unless it is there.
func (s *Scheduler) supply(ctx context.Context, p *plan.Plan, uploads []Upload, done *Submitted) error {
	for _, u := range uploads {
		n, err := s.upload(ctx, u)
		if err != nil {
			return fmt.Errorf("store %s: %w", u.Ref.Name, err)
		}
		done.Uploaded += n
	}
	if p.Search != nil { // most jobs will never be, and those that are get theirs when they are enqueued
		return nil
	}
	return s.storeSpecs(ctx, p, p.Jobs)
}

// upload stores the object unless it is there, and returns how much it wrote.
func (s *Scheduler) upload(ctx context.Context, u Upload) (int64, error) {
	if there, err := s.exists(ctx, u.Ref.Key); err != nil || there {
		return 0, err
	}
	r, err := u.Open()
	if err != nil {
		return 0, err
	}
	defer r.Close()
	err = s.Store.Create(ctx, u.Ref.Key, &verifier{r: r, left: u.Ref.Size, hash: sha256.New(), want: u.Ref.Digest}, u.Ref.Size)
	if errors.Is(err, artifacts.ErrExists) {
		return 0, nil // somebody else was faster, with the same content
	}
	return u.Ref.Size, err
}

// storeSpecs writes the specs of the jobs. One that exists is as good: what it
// may differ in does not change the outcome.
func (s *Scheduler) storeSpecs(ctx context.Context, p *plan.Plan, jobs []plan.Job) error {
	return each(ctx, jobs, func(ctx context.Context, job plan.Job) error {
		err := artifacts.CreateJSON(ctx, s.Store, plan.SpecKey(job.ID), p.Spec(job))
		if err != nil && !errors.Is(err, artifacts.ErrExists) {
			return fmt.Errorf("store the spec of job %s: %w", job.ID, err)
		}
		return nil
	})
}

// checkSame refuses a plan whose short ID is taken by another one.
func (s *Scheduler) checkSame(ctx context.Context, p *plan.Plan) error {
	stored, err := s.Plan(ctx, p.ID)
	if err != nil {
		return err
	}
	if len(stored.Jobs) < len(p.Jobs) || !slices.Equal(stored.Jobs[:len(p.Jobs)], p.Jobs) { // a search may have added to it
		return inputError{fmt.Sprintf("another sweep has the ID %s already", p.ID), "give this one another name"}
	}
	return nil
}

// verifier passes bytes on and fails before the last of them where they are not
// what the digest says, so that a file that changed after it was planned is
// never stored.
type verifier struct {
	r    io.Reader
	left int64
	hash hash.Hash
	want string
}

func (v *verifier) Read(b []byte) (int, error) {
	n, err := v.r.Read(b)
	v.hash.Write(b[:n])
	v.left -= int64(n)
	switch {
	case err != nil && err != io.EOF:
		return n, err
	case v.left < 0, err == io.EOF && v.left > 0, v.left == 0 && hex.EncodeToString(v.hash.Sum(nil)) != v.want:
		return 0, inputError{"the file has changed since the plan was made", "leave it alone while the sweep is submitted, and submit again"}
	}
	return n, err
}
