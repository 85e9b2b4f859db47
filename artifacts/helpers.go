package artifacts

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// PutJSON writes or replaces the object with v as JSON.
func PutJSON(ctx context.Context, s Store, key string, v any) error {
	data, err := encode(key, v)
	if err != nil {
		return err
	}
	return s.Put(ctx, key, bytes.NewReader(data), int64(len(data)))
}

// CreateJSON writes v as JSON to an object that must not exist; ErrExists
// otherwise.
func CreateJSON(ctx context.Context, s Store, key string, v any) error {
	data, err := encode(key, v)
	if err != nil {
		return err
	}
	return s.Create(ctx, key, bytes.NewReader(data), int64(len(data)))
}

func encode(key string, v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", key, err)
	}
	return append(data, '\n'), nil
}

// GetJSON reads the object into v; ErrNotFound where there is none.
func GetJSON(ctx context.Context, s Store, key string, v any) error {
	r, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s in %s is damaged: %w", key, s, err)
	}
	return nil
}

// Exists reports whether there is an object.
func Exists(ctx context.Context, s Store, key string) (bool, error) {
	_, err := s.Stat(ctx, key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// PutFile writes or replaces the object with the file's bytes and returns their
// hex SHA-256 and number. The file must not change meanwhile.
func PutFile(ctx context.Context, s Store, key, path string) (digest string, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = f.Close() }()
	h := sha256.New()
	if size, err = io.Copy(h, f); err != nil {
		return "", 0, err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	return hex.EncodeToString(h.Sum(nil)), size, s.Put(ctx, key, f, size)
}

// Fetch brings the object to a file, unless the file is there already; the
// bytes must have that hex SHA-256, or it ends with ErrDigest. The file appears
// whole or not at all, and processes of one machine that fetch the same file
// wait for the one that began, so that it is downloaded once.
//
// A file that is there is trusted, as it was verified when it was made.
func Fetch(ctx context.Context, s Store, key, path, digest string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return fmt.Errorf("wait for another download of %s: %w", key, err)
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	return download(ctx, s, key, path, digest)
}

// download writes beside path under one name, which the lock makes ours: what a
// killed download has left is overwritten by the next.
func download(ctx context.Context, s Store, key, path, digest string) (err error) {
	src, _, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = src.Close() }()
	partial := path + ".partial"
	f, err := os.Create(partial)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(partial)
		}
	}()
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, h), src)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("fetch %s to %s: %w", key, path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != digest {
		return &Error{Op: "fetch", Key: key, Store: s.String(), Err: fmt.Errorf("%w %s: it is %s", ErrDigest, digest, got)}
	}
	return os.Rename(partial, path)
}

// lockFile takes an exclusive lock that ends with the process at the latest.
// The file itself stays: removing it would let two processes lock two files of
// one name.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- flock(f) }()
	select {
	case err = <-locked:
		if err != nil {
			_ = f.Close()
			return nil, err
		}
		return func() { _ = f.Close() }, nil
	case <-ctx.Done():
		go func() { _ = errors.Join(<-locked, f.Close()) }()
		return nil, ctx.Err()
	}
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
