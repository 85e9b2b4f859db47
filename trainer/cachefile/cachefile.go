// Package cachefile keeps what is costly to make in files of the machine's
// cache that all its processes map into their memory: one file for one content,
// written by one process while the others wait.
//
// A file appears under its name whole or not at all. It is written beside its
// place under a lock that the system takes back when its holder dies, and
// renamed when it is complete: a process that is killed half-way leaves nothing
// that would be taken for a finished file.
//
// Whoever uses a file holds a shared lock on it, and each use sets its time. Trim
// removes those first that were used longest ago, and none that is held; so a process
// can bound what the cache takes while others use it.
package cachefile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// headSize is the length of a file's head: its key, padded with zeros. It keeps
// the content aligned to memory pages.
const headSize = 4096

// File is a finished cache file, mapped for reading, which Trim leaves alone.
type File struct {
	data []byte
	f    *os.File // holds the lock
}

// Draft is a cache file that is being written. Its methods may be called
// concurrently.
type Draft struct{ f *os.File }

// ReadAt reads what was written, at an offset within the content.
func (d *Draft) ReadAt(p []byte, off int64) (int, error) { return d.f.ReadAt(p, headSize+off) }

// WriteAt writes at an offset within the content.
func (d *Draft) WriteAt(p []byte, off int64) (int, error) { return d.f.WriteAt(p, headSize+off) }

// Open maps the file at path, whose content has size bytes and which holds key
// (of less than 4096 bytes) in its head. Where there is no such file, write makes
// it; of several processes that ask at once one writes and the others wait.
func Open(ctx context.Context, path, key string, size int64, write func(context.Context, *Draft) error) (*File, error) {
	if len(key) >= headSize {
		return nil, fmt.Errorf("cache file %s: a key of %d bytes", path, len(key))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the cache: %w", err)
	}
	if f, err := mapped(path, key, size); err == nil {
		return f, nil
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	defer unlock()
	if f, err := mapped(path, key, size); err == nil { // somebody else was first
		return f, nil
	}
	for {
		if err := create(ctx, path, key, size, write); err != nil {
			return nil, err
		}
		f, err := mapped(path, key, size)
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			continue // somebody made room at just this moment
		}
		if err != nil {
			return nil, fmt.Errorf("open the cache: %w", err)
		}
		return f, nil
	}
}

// create writes the file beside its place and renames it. The caller holds the
// lock: what stands there is from somebody who died, and is overwritten.
func create(ctx context.Context, path, key string, size int64, write func(context.Context, *Draft) error) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return fmt.Errorf("make the cache: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Truncate(headSize + size); err != nil {
		return fmt.Errorf("make the cache: %w", err)
	}
	if _, err := f.WriteAt(head(key), 0); err != nil {
		return fmt.Errorf("write the cache: %w", err)
	}
	if err := write(ctx, &Draft{f}); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the cache: %w", err)
	}
	return os.Rename(f.Name(), path)
}

// mapped maps a finished file; an error where there is none, or one that is not
// what it should be.
func mapped(path, key string, size int64) (*File, error) {
	f, err := held(path)
	if err != nil {
		return nil, err
	}
	data, err := mapAll(f, key, size)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{data, f}, nil
}

func mapAll(f *os.File, key string, size int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != headSize+size {
		return nil, fmt.Errorf("%s has %d bytes, not %d", f.Name(), info.Size(), headSize+size)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	if !bytes.Equal(data[:headSize], head(key)) {
		return nil, errors.Join(fmt.Errorf("%s holds something else", f.Name()), unix.Munmap(data))
	}
	return data, nil
}

func head(key string) []byte {
	return append([]byte(key), bytes.Repeat([]byte{0}, headSize-len(key))...)
}

// Bytes is the content. It must not be written to, nor used after Close.
func (f *File) Bytes() []byte { return f.data[headSize:] }

// Close unmaps the file. It is safe to call twice.
func (f *File) Close() error {
	data := f.data
	f.data = nil
	if data == nil {
		return nil
	}
	return errors.Join(unix.Munmap(data), f.f.Close())
}

// lockPoll is how often a lock that somebody holds is asked for again: waiting
// in the kernel could not be cancelled.
const lockPoll = 50 * time.Millisecond

// lock waits for an exclusive lock on a file. The file stays: removing it would
// let two processes lock two files of one name.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
