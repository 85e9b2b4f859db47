package artifacts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// incoming is where objects are written before they get their name. The tilde
// keeps it apart from every key.
const incoming = "~incoming"

// Dir opens a store in a folder, which is made if it is missing. An object is
// one file, at its key; it is written under another name, synced, and then
// renamed (Put) or linked (Create) to its key, so that whoever is killed leaves
// nothing but a nameless file, which the next Dir removes. No key leads out of
// the folder, also not through symbolic links.
//
// Several machines may share the folder over a network file system that has
// atomic rename, exclusive link and advisory locks, as NFS from version 4 on.
func Dir(root string) (Store, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, &Error{Op: "open", Store: "folder " + root, Err: err}
	}
	d := &dir{path: abs}
	if err := d.open(); err != nil {
		return nil, &Error{Op: "open", Store: d.String(), Err: fromOS(err)}
	}
	return d, nil
}

type dir struct {
	path string
	root *os.Root
}

func (d *dir) String() string { return "folder " + d.path }

func (d *dir) open() error {
	if err := os.MkdirAll(d.path, 0o777); err != nil {
		return err
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	d.root = root
	if err := root.MkdirAll(incoming, 0o777); err != nil {
		return err
	}
	return d.sweep()
}

// sweep removes what killed writers left. A living writer holds a lock on its
// file, which the kernel drops when the writer dies, however it dies.
func (d *dir) sweep() error {
	entries, err := fs.ReadDir(d.root.FS(), incoming)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := path.Join(incoming, e.Name())
		f, err := d.root.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			continue // removed in between, or not ours
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = d.root.Remove(name)
		}
		_ = f.Close()
	}
	return nil
}

func (d *dir) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	f, info, err := d.get(ctx, key)
	if err != nil {
		return nil, Info{}, fail(ctx, "read", key, d, err)
	}
	return &dirReader{ctx: ctx, d: d, key: key, f: f}, info, nil
}

func (d *dir) get(ctx context.Context, key string) (*os.File, Info, error) {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return nil, Info{}, err
	}
	f, err := d.root.Open(key)
	if err != nil {
		return nil, Info{}, fromOS(err)
	}
	st, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, Info{}, fromOS(err)
	}
	if !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, Info{}, ErrNotFound
	}
	return f, fileInfo(key, st), nil
}

func (d *dir) Stat(ctx context.Context, key string) (Info, error) {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return Info{}, fail(ctx, "describe", key, d, err)
	}
	st, err := d.root.Stat(key)
	if err != nil {
		return Info{}, fail(ctx, "describe", key, d, fromOS(err))
	}
	if !st.Mode().IsRegular() {
		return Info{}, fail(ctx, "describe", key, d, ErrNotFound)
	}
	return fileInfo(key, st), nil
}

func (d *dir) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	return fail(ctx, "write", key, d, d.write(ctx, key, r, size, d.root.Rename))
}

func (d *dir) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	return fail(ctx, "create", key, d, d.write(ctx, key, r, size, d.root.Link))
}

// write brings the bytes safely to the disk, then gives them their name.
func (d *dir) write(ctx context.Context, key string, r io.Reader, size int64, name func(from, to string) error) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return err
	}
	f, tmp, err := d.temp()
	if err != nil {
		return err
	}
	// Closing drops the lock, so the name goes first. After a rename there is
	// nothing left to remove.
	defer func() { _ = d.root.Remove(tmp); _ = f.Close() }()
	if err := fill(f, newExactReader(ctx, r, size)); err != nil {
		return err
	}
	return d.publish(tmp, key, name)
}

// temp makes a locked file to write to.
func (d *dir) temp() (*os.File, string, error) {
	for {
		name := path.Join(incoming, rand.Text())
		f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrNotExist) { // someone tidied the folder away
			if err = d.root.Mkdir(incoming, 0o777); err == nil {
				continue
			}
		}
		if err != nil {
			return nil, "", writeError(err)
		}
		// Where the file system has no locks a sweep cannot take one either,
		// and leaves the file alone.
		_ = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if _, err := d.root.Lstat(name); err == nil {
			return f, name, nil
		}
		_ = f.Close() // swept in the instant before it was locked
	}
}

// fill copies src and syncs. Errors of src are passed on as they are.
func fill(f *os.File, src *exactReader) error {
	if _, err := io.Copy(f, src); err != nil {
		if src.err != nil {
			return src.err
		}
		return writeError(err)
	}
	return writeError(f.Sync())
}

// publish names the file and syncs the folder that now lists it.
func (d *dir) publish(tmp, key string, name func(from, to string) error) error {
	parent := path.Dir(key)
	var err error
	for range 1000 {
		if err = d.mkdirAll(parent); err == nil {
			err = name(tmp, key)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
		// A Delete has pruned a parent that was still empty: make it again.
	}
	if err != nil {
		return writeError(err)
	}
	return writeError(d.syncDir(parent))
}

// mkdirAll makes folders durably: each new one is synced into its parent.
func (d *dir) mkdirAll(name string) error {
	if name == "." {
		return nil
	}
	if st, err := d.root.Stat(name); err == nil && st.IsDir() {
		return nil
	}
	parent := path.Dir(name)
	if err := d.mkdirAll(parent); err != nil {
		return err
	}
	if err := d.root.Mkdir(name, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.syncDir(parent)
}

func (d *dir) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted again already
		}
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

func (d *dir) Delete(ctx context.Context, key string) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return fail(ctx, "delete", key, d, err)
	}
	st, err := d.root.Lstat(key)
	if err == nil && st.IsDir() {
		return nil // no object: a folder on the way to some
	}
	if err == nil {
		err = d.root.Remove(key)
	}
	if err := fromOS(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fail(ctx, "delete", key, d, err)
	}
	for parent := path.Dir(key); parent != "."; parent = path.Dir(parent) {
		if d.root.Remove(parent) != nil {
			return fail(ctx, "delete", key, d, fromOS(d.syncDir(parent)))
		}
	}
	return fail(ctx, "delete", key, d, fromOS(d.syncDir(".")))
}

func fileInfo(key string, st fs.FileInfo) Info {
	return Info{Key: key, Size: st.Size(), Modified: st.ModTime()}
}

// writeError is fromOS for writes, to which "no such file" means that the
// folder of the store is no more.
func writeError(err error) error {
	switch {
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("there is an object at the start of that key: %w", err)
	case errors.Is(err, fs.ErrNotExist):
		return classed(ErrUnavailable, err)
	}
	return fromOS(err)
}

// fromOS gives an operating system's error the package's meaning.
func fromOS(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return ErrExists
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return ErrNotFound
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("there are objects below that key: %w", err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return classed(ErrNoSpace, err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return classed(ErrDenied, err)
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		return classed(ErrUnavailable, err)
	}
	return err
}
