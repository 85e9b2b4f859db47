package cachefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const blob = 64 << 10

// fill makes a cache of files of 64 KiB, used in this order a minute after the other.
func fill(t *testing.T, names ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, bytes.Repeat([]byte{1}, blob), 0o644); err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(time.Duration(i-1000) * time.Minute)
		if err := os.Chtimes(path, used, used); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func left(t *testing.T, dir string) string {
	t.Helper()
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		names = append(names, e.Kind+"/"+filepath.Base(e.Path))
	}
	return strings.Join(names, " ")
}

func trim(t *testing.T, dir string, most int64) int64 {
	t.Helper()
	freed, err := Trim(dir, most)
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

func TestTrimKeepsWhatWasUsedLast(t *testing.T) {
	dir := fill(t, "packs/a", "pixels/b", "packs/c", "features/d")
	if freed := trim(t, dir, 4*blob); freed != 0 {
		t.Errorf("%d bytes were freed of a cache that is small enough", freed)
	}
	release, err := Hold(filepath.Join(dir, "packs", "a")) // the oldest is used again
	if err != nil {
		t.Fatal(err)
	}
	release()
	if freed := trim(t, dir, 2*blob); freed != 2*blob || left(t, dir) != "features/d packs/a" {
		t.Errorf("%d bytes were freed, left are %s", freed, left(t, dir))
	}
	if _, err := Hold(filepath.Join(dir, "pixels", "b")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was removed is held: %v", err)
	}
}

func TestTrimLeavesWhatIsHeld(t *testing.T) {
	dir := fill(t, "packs/a", "packs/b")
	release, err := Hold(filepath.Join(dir, "packs", "a"))
	if err != nil {
		t.Fatal(err)
	}
	mapped, err := Open(t.Context(), filepath.Join(dir, "pixels", "m"), "key", 6, write("mapped"))
	if err != nil {
		t.Fatal(err)
	}
	trim(t, dir, 0)
	if got := left(t, dir); got != "packs/a pixels/m" {
		t.Errorf("left are %q", got)
	}
	release()
	wantContent(t, mapped, nil, "mapped") // and closes it
	trim(t, dir, 0)
	if got := left(t, dir); got != "" {
		t.Errorf("left are %q", got)
	}
}

// What a process that died has half-written goes, what is being written does not.
func TestTrimOfHalfWrittenFiles(t *testing.T) {
	dir := fill(t, "packs/a.tar.partial", "packs/a.tar.lock", "pixels/b.part", "pixels/c")
	_, err := Open(t.Context(), filepath.Join(dir, "features", "d"), "key", 6, func(_ context.Context, d *Draft) error {
		trim(t, dir, blob)
		if got := left(t, dir); got != "pixels/c" { // d is not listed
			t.Errorf("left are %q", got)
		}
		_, err := d.WriteAt([]byte("whole!"), 0)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Files are made, used and removed at the same time by many.
func TestTrimBesideUsers(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	stop := make(chan struct{})
	var trimmer sync.WaitGroup
	trimmer.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				trim(t, dir, 0)
			}
		}
	})
	for i := range 4 {
		group.Go(func() {
			for round := range 100 {
				n := (i + round) % 3
				text := fmt.Sprintf("file %d", n)
				f, err := Open(t.Context(), filepath.Join(dir, "pixels", fmt.Sprint(n)), text, 6, write(text))
				if err != nil {
					t.Error(err)
					return
				}
				if got := string(f.Bytes()); got != text {
					t.Errorf("%q instead of %q", got, text)
				}
				f.Close()
			}
		})
	}
	group.Wait()
	close(stop)
	trimmer.Wait()
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pixels", "x")
	_, err := Open(t.Context(), path, "key", 6, func(_ context.Context, d *Draft) error {
		return errors.Join(write("half")(t.Context(), d), &os.PathError{Op: "write", Path: path, Err: unix.ENOSPC})
	})
	if !IsFull(err) || IsFull(errors.New("another")) {
		t.Errorf("a full disk is %v", err)
	}
	if got := left(t, dir); got != "" {
		t.Errorf("a full disk leaves %q", got)
	}
	f, err := Open(t.Context(), path, "key", 6, write("whole!"))
	wantContent(t, f, err, "whole!")
}
