package artifacts

import (
	"bytes"
	"context"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mem returns an empty store in this process's memory, for tests.
func Mem() Store { return &mem{objects: map[string]memObject{}} }

type mem struct {
	mu      sync.RWMutex
	objects map[string]memObject
}

type memObject struct {
	data     []byte // never written after it was stored
	modified time.Time
}

func (m *mem) String() string { return "memory" }

func (m *mem) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	o, err := m.lookup(ctx, key)
	if err != nil {
		return nil, Info{}, fail(ctx, "read", key, m, err)
	}
	return io.NopCloser(bytes.NewReader(o.data)), o.info(key), nil
}

func (m *mem) Stat(ctx context.Context, key string) (Info, error) {
	o, err := m.lookup(ctx, key)
	if err != nil {
		return Info{}, fail(ctx, "describe", key, m, err)
	}
	return o.info(key), nil
}

func (m *mem) lookup(ctx context.Context, key string) (memObject, error) {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return memObject{}, err
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	o, ok := m.objects[key]
	if !ok {
		return memObject{}, ErrNotFound
	}
	return o, nil
}

func (m *mem) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	return fail(ctx, "write", key, m, m.write(ctx, key, r, size, false))
}

func (m *mem) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	return fail(ctx, "create", key, m, m.write(ctx, key, r, size, true))
}

func (m *mem) write(ctx context.Context, key string, r io.Reader, size int64, create bool) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return err
	}
	data, err := io.ReadAll(newExactReader(ctx, r, size))
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.objects[key]; there && create {
		return ErrExists
	}
	m.objects[key] = memObject{data: data, modified: time.Now()}
	return nil
}

func (m *mem) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := firstError(ctx.Err(), checkPrefix(prefix)); err != nil {
			yield(Info{}, fail(ctx, "list", prefix, m, err))
			return
		}
		for _, info := range m.snapshot(prefix) {
			if err := ctx.Err(); err != nil {
				yield(Info{}, fail(ctx, "list", prefix, m, err))
				return
			}
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (m *mem) snapshot(prefix string) []Info {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var infos []Info
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) {
			infos = append(infos, o.info(key))
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
	return infos
}

func (m *mem) Delete(ctx context.Context, key string) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return fail(ctx, "delete", key, m, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (o memObject) info(key string) Info {
	return Info{Key: key, Size: int64(len(o.data)), Modified: o.modified}
}

// firstError returns the first error that is not nil.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
