package artifacts_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"orchestrator/artifacts"
)

func TestJSONObjects(t *testing.T) {
	s := artifacts.Mem()
	type thing struct{ Name string }
	if err := artifacts.CreateJSON(t.Context(), s, "a.json", thing{"first"}); err != nil {
		t.Fatal(err)
	}
	if err := artifacts.CreateJSON(t.Context(), s, "a.json", thing{"second"}); !errors.Is(err, artifacts.ErrExists) {
		t.Errorf("a second CreateJSON = %v", err)
	}
	if err := artifacts.PutJSON(t.Context(), s, "a.json", thing{"third"}); err != nil {
		t.Fatal(err)
	}
	var got thing
	if err := artifacts.GetJSON(t.Context(), s, "a.json", &got); err != nil || got.Name != "third" {
		t.Errorf("GetJSON = %+v, %v", got, err)
	}
	if err := artifacts.GetJSON(t.Context(), s, "none.json", &got); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("GetJSON of a missing object = %v", err)
	}
	if err := s.Put(t.Context(), "bad.json", strings.NewReader("{"), 1); err != nil {
		t.Fatal(err)
	}
	if err := artifacts.GetJSON(t.Context(), s, "bad.json", &got); err == nil || !strings.Contains(err.Error(), "bad.json") {
		t.Errorf("GetJSON of a damaged object = %v", err)
	}
	if err := artifacts.PutJSON(t.Context(), s, "b.json", func() {}); err == nil {
		t.Error("a function was encoded")
	}
}

func TestExists(t *testing.T) {
	s := artifacts.Mem()
	if there, err := artifacts.Exists(t.Context(), s, "a"); there || err != nil {
		t.Errorf("Exists of nothing = %v, %v", there, err)
	}
	if err := s.Put(t.Context(), "a", strings.NewReader(""), 0); err != nil {
		t.Fatal(err)
	}
	if there, err := artifacts.Exists(t.Context(), s, "a"); !there || err != nil {
		t.Errorf("Exists = %v, %v", there, err)
	}
	if _, err := artifacts.Exists(t.Context(), s, "../a"); !errors.Is(err, artifacts.ErrInvalidKey) {
		t.Errorf("Exists of an invalid key = %v", err)
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestPutFileAndFetch(t *testing.T) {
	s := artifacts.Mem()
	folder := t.TempDir()
	source, target := filepath.Join(folder, "source"), filepath.Join(folder, "deep", "target")
	if err := os.WriteFile(source, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	digest, size, err := artifacts.PutFile(t.Context(), s, "object", source)
	if err != nil || digest != digestOf("content") || size != 7 {
		t.Fatalf("PutFile = %s, %d, %v", digest, size, err)
	}
	if err := artifacts.Fetch(t.Context(), s, "object", target, digest); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(target); err != nil || string(data) != "content" {
		t.Errorf("fetched %q, %v", data, err)
	}
}

func TestFetchKeepsNothingWrong(t *testing.T) {
	s := artifacts.Mem()
	target := filepath.Join(t.TempDir(), "target")
	if err := s.Put(t.Context(), "object", strings.NewReader("damaged"), 7); err != nil {
		t.Fatal(err)
	}
	if err := artifacts.Fetch(t.Context(), s, "object", target, digestOf("content")); !errors.Is(err, artifacts.ErrDigest) {
		t.Errorf("Fetch of a damaged object = %v", err)
	}
	if err := artifacts.Fetch(t.Context(), s, "none", target, digestOf("content")); !errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("Fetch of a missing object = %v", err)
	}
	for _, left := range []string{target, target + ".partial"} {
		if _, err := os.Stat(left); err == nil {
			t.Errorf("%s is left over", left)
		}
	}
	if err := s.Put(t.Context(), "object", strings.NewReader("content"), 7); err != nil {
		t.Fatal(err)
	}
	if err := artifacts.Fetch(t.Context(), s, "object", target, digestOf("content")); err != nil {
		t.Errorf("Fetch after the repair: %v", err)
	}
}

// slowGets holds back every download until it is told, and counts them.
type slowGets struct {
	artifacts.Store
	began chan struct{}
	on    chan struct{}
	gets  atomic.Int32
}

func (s *slowGets) Get(ctx context.Context, key string) (io.ReadCloser, artifacts.Info, error) {
	s.gets.Add(1)
	s.began <- struct{}{}
	<-s.on
	return s.Store.Get(ctx, key)
}

func TestParallelFetchesDownloadOnce(t *testing.T) {
	s := &slowGets{Store: artifacts.Mem(), began: make(chan struct{}, 10), on: make(chan struct{})}
	if err := s.Put(t.Context(), "object", strings.NewReader("content"), 7); err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(t.TempDir(), "target")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if err := artifacts.Fetch(t.Context(), s, "object", target, digestOf("content")); err != nil {
				t.Error(err)
			}
		})
	}
	<-s.began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := artifacts.Fetch(ctx, s, "object", target, digestOf("content")); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting with a cancelled context = %v", err)
	}
	close(s.on)
	group.Wait()
	if n := s.gets.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}
