package artifacts

import (
	"context"
	"io"
	"iter"
	"sync"
	"time"
)

// Operation is a call of one of a Store's methods that is over.
type Operation struct {
	Name string // get, put, create, stat, list or delete
	// Took is the time spent in the store: of a get, until the object was open and
	// in the reads of it, without what the reader did in between.
	Took  time.Duration
	Bytes int64 // read or written
	Err   error // of a get, also that of a read
}

// Observed is a store that tells observe, which may be called from any number of
// goroutines at once, of each call. A get is over when its reader is closed.
func Observed(s Store, observe func(Operation)) Store {
	return &observed{Store: s, observe: observe}
}

type observed struct {
	Store
	observe func(Operation)
}

func (o *observed) done(name string, began time.Time, bytes int64, err error) {
	if err != nil {
		bytes = 0
	}
	o.observe(Operation{Name: name, Took: time.Since(began), Bytes: bytes, Err: err})
}

func (o *observed) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	began := time.Now()
	r, info, err := o.Store.Get(ctx, key)
	if err != nil {
		o.done("get", began, 0, err)
		return r, info, err
	}
	return &observedReader{ReadCloser: r, observe: o.observe, op: Operation{Name: "get", Took: time.Since(began)}}, info, nil
}

func (o *observed) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	began := time.Now()
	err := o.Store.Put(ctx, key, r, size)
	o.done("put", began, size, err)
	return err
}

func (o *observed) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	began := time.Now()
	err := o.Store.Create(ctx, key, r, size)
	o.done("create", began, size, err)
	return err
}

func (o *observed) Stat(ctx context.Context, key string) (Info, error) {
	began := time.Now()
	info, err := o.Store.Stat(ctx, key)
	o.done("stat", began, 0, err)
	return info, err
}

func (o *observed) Delete(ctx context.Context, key string) error {
	began := time.Now()
	err := o.Store.Delete(ctx, key)
	o.done("delete", began, 0, err)
	return err
}

func (o *observed) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		op := Operation{Name: "list"}
		began := time.Now()
		for info, err := range o.Store.List(ctx, prefix) {
			op.Took += time.Since(began)
			op.Err = err
			if !yield(info, err) {
				o.observe(op)
				return
			}
			began = time.Now()
		}
		op.Took += time.Since(began)
		o.observe(op)
	}
}

// observedReader counts what is read, and the time it takes.
type observedReader struct {
	io.ReadCloser
	observe func(Operation)
	op      Operation
	once    sync.Once
}

func (r *observedReader) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := r.ReadCloser.Read(p)
	r.op.Took += time.Since(began)
	r.op.Bytes += int64(n)
	if err != nil && err != io.EOF {
		r.op.Err = err
	}
	return n, err
}

func (r *observedReader) Close() error {
	err := r.ReadCloser.Close()
	r.once.Do(func() { r.observe(r.op) })
	return err
}
