package worker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/cachefile"
)

// CacheFullError says that the disk with the machine's cache is full, also after all was
// removed that no running job holds.
type CacheFullError struct {
	Dir string
	Err error
}

func (e *CacheFullError) Error() string {
	return fmt.Sprintf("the disk with the cache folder %s is full: %v", e.Dir, e.Err)
}

func (e *CacheFullError) Unwrap() error { return e.Err }

// Hint says what to do; the job waits for it.
func (e *CacheFullError) Hint() string {
	return "free some space there, or start the worker with a cache_dir on another disk; the job goes on when there is room"
}

// fetch brings an object to the cache and returns where it is; it stays there until
// release.
func (j *jobProcess) fetch(ctx context.Context, ref plan.Ref, folder, suffix string) (path string, release func(), err error) {
	path = filepath.Join(j.CacheDir, folder, ref.Digest+suffix)
	err = j.inCache(ctx, func() error {
		for {
			var err error
			if release, err = cachefile.Hold(path); !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			j.trimCache(ref.Size)
			if err := artifacts.Fetch(ctx, j.Store, ref.Key, path, ref.Digest); err != nil {
				return err
			}
		}
	})
	return path, release, err
}

// inCache has make bring something into the cache. Where the disk is full it removes all
// that no process holds, and then waits as for a store that is full.
func (j *jobProcess) inCache(ctx context.Context, make func() error) error {
	err := patiently(ctx, j.StorePatience, j.Log, func() error {
		err := make()
		if !cacheIsFull(err) {
			return err
		}
		freed, trimErr := cachefile.Trim(j.CacheDir, 0)
		j.Log.Warn("the disk with the cache is full: what no job holds was removed", "folder", j.CacheDir, "bytes", freed, "error", trimErr)
		if err = make(); cacheIsFull(err) {
			return &CacheFullError{j.CacheDir, err}
		}
		return err
	})
	if err == nil {
		j.trimCache(0)
	}
	return err
}

// cacheIsFull tells whether it is the disk of the cache, and not that of a folder store.
func cacheIsFull(err error) bool {
	return cachefile.IsFull(err) && !errors.Is(err, artifacts.ErrNoSpace)
}

// trimCache makes room for so many bytes within the size of the cache.
func (j *jobProcess) trimCache(room int64) {
	if j.CacheSize <= 0 {
		return
	}
	freed, err := cachefile.Trim(j.CacheDir, j.CacheSize-room)
	if err != nil {
		j.Log.Warn("the cache is not kept to its size", "folder", j.CacheDir, "error", err)
	} else if freed > 0 {
		j.Log.Info("removed from the cache what was used longest ago", "folder", j.CacheDir, "bytes", freed)
	}
}
