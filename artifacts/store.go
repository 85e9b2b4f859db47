// Package artifacts stores objects under keys: in a folder, in MinIO or any
// other S3-compatible store, or in memory for tests. The store is the truth of
// the whole system; queues only dispatch.
//
// Keys are opaque here. FORMAT.md describes what the system keeps under which.
package artifacts

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// The errors that callers tell apart, with errors.Is.
var (
	ErrNotFound = errors.New("no such object")
	ErrExists   = errors.New("the object exists already")
	// ErrUnavailable: the store could not be reached or asked to try later;
	// the same call may succeed later.
	ErrUnavailable = errors.New("the artifact store is not available")
	// ErrDenied: wrong credentials or missing rights; trying again is useless.
	ErrDenied = errors.New("the artifact store refused access")
	// ErrNoSpace: the disk or the quota is full. Nothing was written.
	ErrNoSpace = errors.New("the artifact store is full")
)

// Info describes an object.
type Info struct {
	Key      string
	Size     int64
	Modified time.Time
}

// Store keeps objects. All methods may be called at the same time from any
// number of goroutines and processes.
//
// Promises, checked by artifactstest on every implementation:
//   - A reader sees a whole object or none: never part of one, also after the
//     writer was killed at any moment.
//   - A successful write is read back by every later call in any process.
//   - Of any number of concurrent Creates of a key exactly one succeeds.
//   - Keys are slash-separated, [A-Za-z0-9._-] in each part, no part "." or
//     "..", at most 512 bytes; any other key is an error.
type Store interface {
	// Get opens an object; ErrNotFound where there is none.
	Get(ctx context.Context, key string) (io.ReadCloser, Info, error)
	// Put writes or replaces an object of exactly size bytes.
	Put(ctx context.Context, key string, r io.Reader, size int64) error
	// Create writes an object that must not exist; ErrExists otherwise.
	Create(ctx context.Context, key string, r io.Reader, size int64) error
	// Stat describes an object; ErrNotFound where there is none.
	Stat(ctx context.Context, key string) (Info, error)
	// List yields the objects whose keys begin with prefix, in key order.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]
	// Delete removes an object; deleting what is not there succeeds.
	Delete(ctx context.Context, key string) error
	// String names the store in messages, without secrets: "folder /x" or
	// "s3 http://host:9000/bucket".
	String() string
}
