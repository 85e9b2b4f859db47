package gc

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

const (
	maxParallel = 8
	// endLimit bounds the last words of a removal that was interrupted.
	endLimit = 10 * time.Second
)

// Removed counts what was removed, by kind.
type Removed struct {
	mu      sync.Mutex
	Objects map[string]int
	Bytes   map[string]int64
}

func (r *Removed) add(kind string, o artifacts.Info) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Objects[kind]++
	r.Bytes[kind] += o.Size
}

// collectionMark is the content of the marks; that they exist, or change, is what
// counts.
type collectionMark struct {
	Since string `json:"since"` // RFC 3339, UTC
	Token string `json:"token"`
}

// Remove removes the waste, but for what is no waste any more. It can be killed and
// called again; what was removed until an error is in the result.
func (c *Collector) Remove(ctx context.Context, w *Waste) (*Removed, error) {
	done := &Removed{Objects: map[string]int{}, Bytes: map[string]int64{}}
	mark := collectionMark{Since: c.now().UTC().Format(time.RFC3339), Token: strings.ToLower(rand.Text())}
	key := plan.CollectionPrefix + mark.Token + ".json"
	if err := artifacts.CreateJSON(ctx, c.Store, key, mark); err != nil {
		return done, fmt.Errorf("say that a gc is under way: %w", err)
	}
	v := &view{c: c}
	var failed error
	for _, kind := range Kinds() {
		if failed == nil {
			failed = c.removeKind(ctx, kind, w, v, done)
		}
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	err := artifacts.PutJSON(end, c.Store, plan.LastCollectionKey, mark)
	if err == nil {
		err = c.Store.Delete(end, key)
	}
	return done, errors.Join(failed, err)
}

func (c *Collector) removeKind(ctx context.Context, kind string, w *Waste, v *view, done *Removed) error {
	group, child := errgroup.WithContext(ctx)
	group.SetLimit(maxParallel)
	for _, item := range w.Items {
		if item.Kind == kind && child.Err() == nil {
			group.Go(func() error { return c.removeItem(child, item, v, done) })
		}
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// removeItem removes the objects of an item, one after the other.
func (c *Collector) removeItem(ctx context.Context, item Item, v *view, done *Removed) error {
	if item.Kind == Features {
		if again, err := c.usedAgain(ctx, item); err != nil || again {
			return err
		}
	}
	for _, o := range item.Objects {
		if item.Kind == Jobs || item.Kind == Models || item.Kind == Packs {
			refs, err := v.fresh(ctx)
			if err != nil {
				return err
			}
			if refs.keys[o.Key] || refs.jobs[item.Name] {
				c.log().Info("somebody refers to it now", "object", o.Key)
				return nil
			}
		}
		is, err := c.Store.Stat(ctx, o.Key)
		if errors.Is(err, artifacts.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !is.Same(o) {
			c.log().Info("it was written again", "object", o.Key)
			return nil
		}
		if err := c.Store.Delete(ctx, o.Key); err != nil {
			return err
		}
		done.add(item.Kind, o)
	}
	return nil
}

// usedAgain tells whether a job has begun to use a pass since it was found to be waste.
func (c *Collector) usedAgain(ctx context.Context, item Item) (bool, error) {
	known := map[string]bool{}
	for _, o := range item.Objects {
		known[o.Key] = true
	}
	for info, err := range c.Store.List(ctx, plan.FeatureUsePrefix(item.Name)) {
		if err != nil || !known[info.Key] {
			return true, err
		}
	}
	return false, nil
}

// view is what sweeps refer to, looked at again and again.
type view struct {
	c    *Collector
	mu   sync.Mutex
	at   time.Time
	refs *references
}

func (v *view) fresh(ctx context.Context) (*references, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refs != nil && time.Since(v.at) < cmp.Or(v.c.LookEvery, time.Second) {
		return v.refs, nil
	}
	at := time.Now()
	refs, err := v.c.references(ctx, nil)
	if err == nil {
		v.refs, v.at = refs, at
	}
	return refs, err
}
