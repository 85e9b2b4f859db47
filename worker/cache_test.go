package worker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/cachefile"
)

func newCacheProcess(t *testing.T, s artifacts.Store) *jobProcess {
	return &jobProcess{JobProcess: JobProcess{
		Store: s, CacheDir: t.TempDir(), StorePatience: 10 * time.Second, Log: slog.New(slog.NewTextHandler(testWriter{t}, nil)),
	}, out: &eventWriter{w: io.Discard}}
}

func full(path string) error { return &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC} }

// A disk that is full loses what no job holds, and then is waited for.
func TestFullCacheDisk(t *testing.T) {
	j := newCacheProcess(t, artifacts.Mem())
	unused, used := filepath.Join(j.CacheDir, "packs", "unused"), filepath.Join(j.CacheDir, "packs", "used")
	if err := os.MkdirAll(filepath.Dir(used), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{unused, used} {
		if err := os.WriteFile(path, []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	release, err := cachefile.Hold(used)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	left := 3
	err = j.inCache(t.Context(), func() error {
		if left--; left > 0 {
			return full(unused)
		}
		return nil
	})
	if err != nil || left != 0 {
		t.Errorf("a disk on which there is room in the end: %v, %d", err, left)
	}
	_, gone := os.Stat(unused)
	if _, err := os.Stat(used); err != nil || gone == nil {
		t.Errorf("what a job holds: %v; what none does: %v", err, gone)
	}

	j.StorePatience = 50 * time.Millisecond
	err = j.inCache(t.Context(), func() error { return full(unused) })
	var said *CacheFullError
	if !errors.As(err, &said) || !strings.Contains(err.Error(), j.CacheDir) || !strings.Contains(said.Hint(), "cache_dir") {
		t.Errorf("a disk that stays full: %v", err)
	}
	if e := failure(err); !e.Transient || e.Permanent || e.Hint == "" {
		t.Errorf("the daemon hears %+v", e)
	}
	// That of a folder store is another matter.
	err = j.inCache(t.Context(), func() error { return artifacts.ErrNoSpace })
	if errors.As(err, &said); !errors.Is(err, artifacts.ErrNoSpace) {
		t.Errorf("a store that is full: %v", err)
	}
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// countedStore counts what is read.
type countedStore struct {
	artifacts.Store
	reads int
}

func (c *countedStore) Get(ctx context.Context, key string) (io.ReadCloser, artifacts.Info, error) {
	c.reads++
	return c.Store.Get(ctx, key)
}

// The size of the cache counts before and after something is fetched, and what was used
// last stays.
func TestCacheIsKeptToItsSize(t *testing.T) {
	s := &countedStore{Store: artifacts.Mem()}
	j := newCacheProcess(t, s)
	const size = 256 << 10
	j.CacheSize = 2*size + size/2
	var refs []plan.Ref
	for _, letter := range []string{"a", "b", "c"} {
		content := strings.Repeat(letter, size)
		key := "packs/" + letter + ".tar"
		if err := s.Put(t.Context(), key, strings.NewReader(content), size); err != nil {
			t.Fatal(err)
		}
		refs = append(refs, plan.Ref{Name: letter, Key: key, Digest: digestOf(content), Size: size})
	}
	there := func() (names []string) {
		for _, ref := range refs {
			if _, err := os.Stat(filepath.Join(j.CacheDir, "packs", ref.Digest+".tar")); err == nil {
				names = append(names, ref.Name)
			}
		}
		return names
	}
	fetch := func(i int) func() {
		t.Helper()
		_, release, err := j.fetch(t.Context(), refs[i], "packs", ".tar")
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	fetch(0)()
	fetch(1)()
	fetch(0)() // is there
	fetch(2)()
	if diff := cmp.Diff([]string{"a", "c"}, there()); diff != "" || s.reads != 3 {
		t.Errorf("there are, after %d downloads (-want +got):\n%s", s.reads, diff)
	}
	holdA, holdC := fetch(0), fetch(2)
	fetch(1)() // more than the cache may take, as the others are held
	if diff := cmp.Diff([]string{"a", "b", "c"}, there()); diff != "" {
		t.Errorf("while the others are held there are (-want +got):\n%s", diff)
	}
	holdA()
	holdC()
	j.trimCache(0)
	if diff := cmp.Diff([]string{"b", "c"}, there()); diff != "" {
		t.Errorf("when nothing is held any more there are (-want +got):\n%s", diff)
	}
}

// A job whose cache may hold nothing that is not in use ends with the same bits.
func TestSmallestCacheEndsWithTheSameBits(t *testing.T) {
	want := undisturbed(t, t.TempDir())
	s := newStudy(t, t.TempDir())
	s.env = append(s.env, cacheSizeEnv+"=1")
	s.do(s.daemon("", nil), Completed)
	if diff := cmp.Diff(want, bits(s.outcome())); diff != "" {
		t.Errorf("the outcome (-any size +smallest):\n%s", diff)
	}
	all, err := cachefile.List(s.cache)
	if err != nil || len(all) > 1 || len(all) == 1 && all[0].Kind != "pixels" {
		t.Errorf("the cache holds %+v, %v", all, err)
	}
}
