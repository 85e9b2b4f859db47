package artifacts

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"slices"
	"strings"
)

// List walks only the folders that can hold keys with that prefix, one at a
// time, so that the memory needed is that of the largest folder.
func (d *dir) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := firstError(ctx.Err(), checkPrefix(prefix)); err != nil {
			yield(Info{}, fail(ctx, "list", prefix, d, err))
			return
		}
		start := strings.TrimSuffix(prefix[:strings.LastIndexByte(prefix, '/')+1], "/")
		if err := d.walk(ctx, start, prefix, yield); err != nil && !errors.Is(err, errStop) {
			yield(Info{}, fail(ctx, "list", prefix, d, err))
		}
	}
}

// errStop ends a walk whose consumer has seen enough.
var errStop = errors.New("stop")

func (d *dir) walk(ctx context.Context, folder, prefix string, yield func(Info, error) bool) error {
	entries, err := d.entries(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		key := path.Join(folder, e.Name())
		switch {
		case e.IsDir() && overlaps(key+"/", prefix):
			if err := d.walk(ctx, key, prefix, yield); err != nil {
				return err
			}
		case e.Type().IsRegular() && strings.HasPrefix(key, prefix):
			st, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue // deleted since
			}
			if err != nil {
				return fromOS(err)
			}
			if !yield(fileInfo(key, st), nil) {
				return errStop
			}
		}
	}
	return nil
}

// entries reads a folder in the order of the keys below it, in which a folder
// stands where its name with a slash does: "a-b" before "a/c".
func (d *dir) entries(folder string) ([]fs.DirEntry, error) {
	if folder == "" {
		folder = "."
	}
	entries, err := fs.ReadDir(d.root.FS(), folder)
	if err := fromOS(err); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		return nil, err
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return !validPart(e.Name()) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	return entries, nil
}

func sortName(e fs.DirEntry) string {
	if e.IsDir() {
		return e.Name() + "/"
	}
	return e.Name()
}

func overlaps(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// dirReader reads an object's file, and stops when the context is cancelled.
type dirReader struct {
	ctx context.Context
	d   *dir
	key string
	f   *os.File
}

func (r *dirReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fail(r.ctx, "read", r.key, r.d, err)
	}
	n, err := r.f.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail(r.ctx, "read", r.key, r.d, fromOS(err))
	}
	return n, err
}

func (r *dirReader) Close() error { return r.f.Close() }
