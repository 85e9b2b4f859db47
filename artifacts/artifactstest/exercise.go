// Package artifactstest holds the promises of artifacts.Store as tests, and a
// real MinIO server for the tests of any package.
package artifactstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"orchestrator/artifacts"
)

// Exercise checks every promise of artifacts.Store. open returns a view of one
// and the same store, empty at first, as another process would open it.
func Exercise(t *testing.T, open func(t *testing.T) artifacts.Store) {
	s := open(t)
	for _, c := range []struct {
		name string
		test func(t *testing.T, s, other artifacts.Store)
	}{
		{"a write is read back", testRoundTrip},
		{"a missing object is ErrNotFound", testMissing},
		{"Put replaces, Create does not", testCreate},
		{"one of many Creates wins", testConcurrentCreate},
		{"readers see whole objects", testWholeObjects},
		{"an open reader is not disturbed", testOpenReader},
		{"List is in key order and by prefix", testList},
		{"List sees a page and more", testListMany},
		{"Get, Stat and List agree on time and size", testAgreement},
		{"Delete is idempotent", testDelete},
		{"a wrong size leaves nothing", testWrongSize},
		{"a failing source leaves nothing", testFailingSource},
		{"invalid keys are refused", testInvalidKeys},
		{"the longest key works", testLongestKey},
		{"a large object survives", testLarge},
		{"a cancelled context stops every call", testCancelled},
		{"errors name operation, key and store", testErrorText},
		{"Check finds nothing to complain about", testCheck},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, s, open(t)) })
	}
}

func testRoundTrip(t *testing.T, s, other artifacts.Store) {
	for _, size := range []int{0, 1, 4096, 1<<20 + 7} {
		data := randomBytes(size)
		key := fmt.Sprintf("round/trip-%d.bin", size)
		put(t, s, key, data)
		wantObject(t, other, key, data)
		info, err := other.Stat(t.Context(), key)
		if err != nil || info.Key != key || info.Size != int64(size) || info.Modified.IsZero() {
			t.Errorf("Stat(%s) = %+v, %v", key, info, err)
		}
	}
}

func testMissing(t *testing.T, s, _ artifacts.Store) {
	put(t, s, "missing/there/below", []byte("x"))
	for _, key := range []string{"missing/not", "missing/there", "missing"} {
		if _, _, err := s.Get(t.Context(), key); !errors.Is(err, artifacts.ErrNotFound) {
			t.Errorf("Get(%s) = %v", key, err)
		}
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, artifacts.ErrNotFound) {
			t.Errorf("Stat(%s) = %v", key, err)
		}
	}
}

func testCreate(t *testing.T, s, other artifacts.Store) {
	const key = "create/once.json"
	if err := create(t, s, key, []byte("first")); err != nil {
		t.Fatal(err)
	}
	for _, view := range []artifacts.Store{s, other} {
		if err := create(t, view, key, []byte("second")); !errors.Is(err, artifacts.ErrExists) {
			t.Errorf("a second Create = %v", err)
		}
	}
	wantObject(t, s, key, []byte("first"))
	put(t, other, key, []byte("replaced"))
	wantObject(t, s, key, []byte("replaced"))
	if err := s.Delete(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if err := create(t, s, key, []byte("again")); err != nil {
		t.Errorf("Create after Delete: %v", err)
	}
}

func testConcurrentCreate(t *testing.T, s, other artifacts.Store) {
	const writers = 16
	for round := range 5 {
		key := fmt.Sprintf("race/%d", round)
		var group sync.WaitGroup
		var winner atomic.Int32
		var wins atomic.Int32
		for w := range writers {
			view := []artifacts.Store{s, other}[w%2]
			group.Go(func() {
				err := create(t, view, key, fmt.Appendf(nil, "writer %d", w))
				switch {
				case err == nil:
					wins.Add(1)
					winner.Store(int32(w))
				case !errors.Is(err, artifacts.ErrExists):
					t.Errorf("writer %d: %v", w, err)
				}
			})
		}
		group.Wait()
		if wins.Load() != 1 {
			t.Fatalf("%d of %d concurrent Creates succeeded", wins.Load(), writers)
		}
		wantObject(t, s, key, fmt.Appendf(nil, "writer %d", winner.Load()))
	}
}

// testWholeObjects replaces an object again and again by ones that are each of
// a single byte value, and reads it meanwhile.
func testWholeObjects(t *testing.T, s, other artifacts.Store) {
	const key, rounds = "whole/object", 20
	content := func(round int) []byte { return bytes.Repeat([]byte{byte('a' + round)}, 200_000+1000*round) }
	put(t, s, key, content(0))
	done := make(chan struct{})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			for stop := false; !stop; {
				select {
				case <-done:
					stop = true // after one more look, so that each reader looks at least once
				default:
				}
				data := get(t, other, key)
				round := 0
				if len(data) > 0 {
					round = int(data[0] - 'a')
				}
				if !bytes.Equal(data, content(round)) {
					t.Errorf("read %d bytes that are no whole object", len(data))
					return
				}
			}
		})
	}
	for round := range rounds {
		put(t, s, key, content(round))
	}
	close(done)
	group.Wait()
}

func testOpenReader(t *testing.T, s, other artifacts.Store) {
	const key = "open/reader"
	old := randomBytes(300_000)
	put(t, s, key, old)
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if info.Size != int64(len(old)) {
		t.Errorf("size %d, want %d", info.Size, len(old))
	}
	put(t, other, key, []byte("new"))
	if got, err := io.ReadAll(r); err == nil && !bytes.Equal(got, old) {
		t.Errorf("the reader saw %d bytes, neither an error nor the old object", len(got))
	}
}

func testList(t *testing.T, s, _ artifacts.Store) {
	// In the order of bytes: '-' < '.' < '/' < digits < capitals < '_' < letters.
	keys := []string{"list/a-b/x", "list/a.txt", "list/a/x", "list/a/y/z", "list/a0", "list/aB", "list/a_", "list/ab", "list/b"}
	for _, key := range slices.Backward(keys) {
		put(t, s, key, []byte(key))
	}
	for prefix, want := range map[string][]string{
		"list/":       keys,
		"list":        keys,
		"list/a":      keys[:8],
		"list/a/":     keys[2:4],
		"list/a/y":    keys[3:4],
		"list/a-b/x":  keys[:1],
		"list/a-b/xx": nil,
		"list/c":      nil,
		"none/at/all": nil,
	} {
		if got := list(t, s, prefix); !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, want %q", prefix, got, want)
		}
	}
	for info := range s.List(t.Context(), "list/a-b/") {
		if info.Size != int64(len(keys[0])) || info.Modified.IsZero() {
			t.Errorf("listed as %+v", info)
		}
	}
	all := list(t, s, "")
	if !slices.IsSorted(all) || !slices.Contains(all, keys[0]) {
		t.Errorf("List of everything: %q", all)
	}
	for range s.List(t.Context(), "list/") {
		break // a consumer may stop early
	}
}

func testListMany(t *testing.T, s, _ artifacts.Store) {
	const n = 1100 // more than S3 lists at once
	var want []string
	var group sync.WaitGroup
	next := make(chan string)
	for range 8 {
		group.Go(func() {
			for key := range next {
				if err := s.Put(t.Context(), key, strings.NewReader("x"), 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		key := fmt.Sprintf("many/%05d", i)
		want = append(want, key)
		next <- key
	}
	close(next)
	group.Wait()
	if got := list(t, s, "many/"); !slices.Equal(got, want) {
		t.Errorf("listed %d of %d objects", len(got), n)
	}
}

func testAgreement(t *testing.T, s, other artifacts.Store) {
	for i := range 5 { // at different parts of a second
		key := fmt.Sprintf("agree/%d", i)
		put(t, s, key, make([]byte, i))
		r, got, err := other.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		stat, err := other.Stat(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		for listed, err := range other.List(t.Context(), key) {
			if err != nil || !listed.Same(stat) || !stat.Same(listed) || !listed.Same(got) || !stat.Same(got) {
				t.Errorf("listed as %+v, described as %+v, read as %+v, %v", listed, stat, got, err)
			}
			if longer := (artifacts.Info{Key: key, Size: listed.Size + 1, Modified: listed.Modified}); listed.Same(longer) {
				t.Errorf("%+v and %+v are taken for one write", listed, longer)
			}
			if later := (artifacts.Info{Key: key, Size: listed.Size, Modified: listed.Modified.Add(time.Second)}); listed.Same(later) {
				t.Errorf("%+v and %+v are taken for one write", listed, later)
			}
		}
	}
}

func testDelete(t *testing.T, s, other artifacts.Store) {
	put(t, s, "delete/folder/a", []byte("a"))
	put(t, s, "delete/folder/b", []byte("b"))
	for range 2 {
		if err := other.Delete(t.Context(), "delete/folder/a"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Delete(t.Context(), "delete/never/there"); err != nil {
		t.Error(err)
	}
	if err := s.Delete(t.Context(), "delete/folder"); err != nil {
		t.Errorf("deleting what is no object: %v", err)
	}
	if got := list(t, s, "delete/"); !slices.Equal(got, []string{"delete/folder/b"}) {
		t.Errorf("left over: %q", got)
	}
	// The last object of a folder goes while others come.
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			key := fmt.Sprintf("delete/busy/%d", w)
			for range 10 {
				put(t, s, key, []byte("x"))
				if err := other.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := list(t, s, "delete/busy/"); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
}

func testWrongSize(t *testing.T, s, _ artifacts.Store) {
	data := randomBytes(100_000)
	put(t, s, "size/kept", []byte("old"))
	for _, announced := range []int64{0, 1, 99_999, 100_001, 5_000_000} {
		for name, r := range map[string]io.Reader{
			"seekable": bytes.NewReader(data),
			"stream":   iotest.HalfReader(bytes.NewReader(data)),
		} {
			if err := s.Put(t.Context(), "size/kept", r, announced); !errors.Is(err, artifacts.ErrSize) {
				t.Errorf("Put of %d bytes announced as %d from a %s: %v", len(data), announced, name, err)
			}
		}
		if err := s.Create(t.Context(), "size/new", bytes.NewReader(data), announced); !errors.Is(err, artifacts.ErrSize) {
			t.Errorf("Create of %d bytes announced as %d: %v", len(data), announced, err)
		}
	}
	wantObject(t, s, "size/kept", []byte("old"))
	if got := list(t, s, "size/"); !slices.Equal(got, []string{"size/kept"}) {
		t.Errorf("left over: %q", got)
	}
}

func testFailingSource(t *testing.T, s, _ artifacts.Store) {
	broken := errors.New("the source broke")
	r := io.MultiReader(bytes.NewReader(randomBytes(70_000)), iotest.ErrReader(broken))
	if err := s.Put(t.Context(), "source/broken", r, 100_000); !errors.Is(err, broken) {
		t.Errorf("Put from a broken source: %v", err)
	}
	if got := list(t, s, "source/"); len(got) != 0 {
		t.Errorf("left over: %q", got)
	}
}

func testInvalidKeys(t *testing.T, s, _ artifacts.Store) {
	for _, key := range []string{
		"", "/", "/abs", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a b", "a\\b", "a\x00b",
		"ä", "a~", "~incoming/x", "a:b", "a*b", "a\nb", strings.Repeat("k", 513),
	} {
		ctx := t.Context()
		_, _, getErr := s.Get(ctx, key)
		_, statErr := s.Stat(ctx, key)
		for op, err := range map[string]error{
			"Get": getErr, "Stat": statErr, "Delete": s.Delete(ctx, key),
			"Put":    s.Put(ctx, key, strings.NewReader("x"), 1),
			"Create": s.Create(ctx, key, strings.NewReader("x"), 1),
		} {
			if !errors.Is(err, artifacts.ErrInvalidKey) {
				t.Errorf("%s(%q) = %v", op, key, err)
			}
		}
	}
	for _, prefix := range []string{"../", "a/../", "/", "a//", "a b"} {
		for _, err := range s.List(t.Context(), prefix) {
			if !errors.Is(err, artifacts.ErrInvalidKey) {
				t.Errorf("List(%q) = %v", prefix, err)
			}
		}
	}
}

func testLongestKey(t *testing.T, s, _ artifacts.Store) {
	key := "long/" + strings.Repeat(strings.Repeat("k", 99)+"/", 5) + "1234567"
	if len(key) != 512 {
		t.Fatalf("the key has %d bytes", len(key))
	}
	put(t, s, key, []byte("x"))
	wantObject(t, s, key, []byte("x"))
	if got := list(t, s, "long/"); !slices.Equal(got, []string{key}) {
		t.Errorf("listed %q", got)
	}
}

func testLarge(t *testing.T, s, other artifacts.Store) {
	data := randomBytes(40 << 20) // above the size at which S3 clients split uploads
	if err := s.Create(t.Context(), "large/object", iotest.HalfReader(bytes.NewReader(data)), int64(len(data))); err != nil {
		t.Fatal(err)
	}
	wantObject(t, other, "large/object", data)
	if err := s.Create(t.Context(), "large/object", bytes.NewReader(data), int64(len(data))); !errors.Is(err, artifacts.ErrExists) {
		t.Errorf("a second Create of a large object = %v", err)
	}
}

func testCancelled(t *testing.T, s, _ artifacts.Store) {
	put(t, s, "cancel/there", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := s.Get(ctx, "cancel/there")
	_, statErr := s.Stat(ctx, "cancel/there")
	var listErr error
	for _, err := range s.List(ctx, "cancel/") {
		listErr = err
	}
	for op, err := range map[string]error{
		"Get": getErr, "Stat": statErr, "List": listErr, "Delete": s.Delete(ctx, "cancel/there"),
		"Put":    s.Put(ctx, "cancel/new", strings.NewReader("x"), 1),
		"Create": s.Create(ctx, "cancel/new", strings.NewReader("x"), 1),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a cancelled context = %v", op, err)
		}
	}
	// Cancelled in the middle of the data.
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	r := io.MultiReader(bytes.NewReader(randomBytes(100_000)), &onRead{do: cancel, r: bytes.NewReader(randomBytes(100_000))})
	if err := s.Put(ctx, "cancel/new", r, 200_000); !errors.Is(err, context.Canceled) {
		t.Errorf("Put cancelled in the middle = %v", err)
	}
	if got := list(t, s, "cancel/"); !slices.Equal(got, []string{"cancel/there"}) {
		t.Errorf("left over: %q", got)
	}
}

// onRead calls do before its first read.
type onRead struct {
	do func()
	r  io.Reader
}

func (o *onRead) Read(p []byte) (int, error) {
	o.do()
	return o.r.Read(p)
}

func testErrorText(t *testing.T, s, _ artifacts.Store) {
	_, _, err := s.Get(t.Context(), "text/missing")
	var e *artifacts.Error
	if !errors.As(err, &e) || e.Op != "read" || e.Key != "text/missing" || e.Store != s.String() {
		t.Fatalf("Get of a missing object = %#v", err)
	}
	for _, part := range []string{"read", "text/missing", s.String()} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func testCheck(t *testing.T, s, _ artifacts.Store) {
	if err := artifacts.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if got := list(t, s, "probes/"); len(got) != 0 {
		t.Errorf("Check left %q", got)
	}
}

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

func put(t *testing.T, s artifacts.Store, key string, data []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		t.Error(err)
	}
}

func create(t *testing.T, s artifacts.Store, key string, data []byte) error {
	t.Helper()
	return s.Create(t.Context(), key, bytes.NewReader(data), int64(len(data)))
}

func get(t *testing.T, s artifacts.Store, key string) []byte {
	t.Helper()
	r, info, err := s.Get(t.Context(), key)
	if err != nil {
		t.Error(err)
		return nil
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil || int64(len(data)) != info.Size {
		t.Errorf("read %d of %d bytes of %s: %v", len(data), info.Size, key, err)
	}
	return data
}

func wantObject(t *testing.T, s artifacts.Store, key string, want []byte) {
	t.Helper()
	if got := get(t, s, key); !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes (%.20q), want %d (%.20q)", key, len(got), got, len(want), want)
	}
}

func list(t *testing.T, s artifacts.Store, prefix string) []string {
	t.Helper()
	var keys []string
	for info, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Errorf("List(%q): %v", prefix, err)
			break
		}
		keys = append(keys, info.Key)
	}
	return keys
}
