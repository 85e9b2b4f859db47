package cachefile

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hold keeps a file of the cache, whoever made it, from being removed until release is
// called or the process ends, and notes that it is used now. The error is
// fs.ErrNotExist where there is no such file.
func Hold(path string) (release func(), err error) {
	f, err := held(path)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// held opens a file with a shared lock, which Trim respects.
func held(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := flock(f, unix.LOCK_SH); err != nil { // waits for an instant at most: for a Trim that removes it
		f.Close()
		return nil, err
	}
	if !stands(f, path) {
		f.Close()
		return nil, &os.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // it then counts as used long ago, at worst
	return f, nil
}

// stands tells whether the open file is still the one of that name.
func stands(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(open, named)
}

func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Entry is a file of a cache.
type Entry struct {
	Kind string // its folder: packs, pixels, ...
	Path string
	Size int64     // that it takes on the disk, in bytes
	Used time.Time // last
	// Abandoned is what a process that died has left half-written.
	Abandoned bool
}

// List finds the files of a cache folder, the one used longest ago first and before all
// what was abandoned. What is half-written now is not among them.
func List(dir string) ([]Entry, error) {
	var all []Entry
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || strings.HasSuffix(path, ".lock") {
			continue // gone since, or none of ours
		}
		e := Entry{Kind: filepath.Base(filepath.Dir(path)), Path: path, Size: info.Size(), Used: info.ModTime()}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			e.Size = st.Blocks * 512 // what was never written of a file takes no room
		}
		if whole, part := partOf(path); part {
			if e.Abandoned = !locked(whole + ".lock"); !e.Abandoned {
				continue
			}
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b Entry) int {
		if a.Abandoned != b.Abandoned {
			if a.Abandoned {
				return -1
			}
			return 1
		}
		return cmp.Or(a.Used.Compare(b.Used), strings.Compare(a.Path, b.Path))
	})
	return all, nil
}

// partOf is the file that a half-written one will be.
func partOf(path string) (whole string, part bool) {
	for _, suffix := range []string{".part", ".partial"} {
		if whole, part = strings.CutSuffix(path, suffix); part {
			return whole, true
		}
	}
	return path, false
}

// locked tells whether somebody holds the lock of a file.
func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil
}

// Trim removes files of a cache folder until the others take at most so many bytes:
// those first that were used longest ago, and none that a process holds. It says how
// many bytes it freed.
func Trim(dir string, most int64) (freed int64, err error) {
	all, err := List(dir)
	if err != nil {
		return 0, err
	}
	total := int64(0)
	for _, e := range all {
		total += e.Size
	}
	for _, e := range all {
		if total-freed <= most {
			break
		}
		if remove(e) {
			freed += e.Size
		}
	}
	return freed, nil
}

// remove removes a file unless somebody holds it.
func remove(e Entry) bool {
	whole, part := partOf(e.Path)
	lockOf := e.Path
	if part {
		lockOf = whole + ".lock"
	}
	f, err := os.Open(lockOf)
	if err != nil {
		return part && os.Remove(e.Path) == nil
	}
	defer f.Close()
	if flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil || !stands(f, lockOf) {
		return false
	}
	return os.Remove(e.Path) == nil
}

// IsFull tells whether an error is that the disk, or somebody's part of it, is full.
func IsFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
