package dataset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// codec is part of the name of every cache file: raise it when the same picture
// would give other pixels.
const codec = 2

// headSize is the length of a cache file's head: its own key, padded with zeros.
const headSize = 4096

// Pixels are the decoded pictures of a pack: uint8, planar, in one memory-mapped
// file. It serves trainer.Data; all methods may be called concurrently.
type Pixels struct {
	index    *Index
	geometry Geometry
	data     []byte // the mapped file
	stride   int    // bytes per picture
}

// OpenPixels returns the pixels of a pack from the cache folder, and decodes
// the pictures first if nobody has. Processes that ask at the same time wait for
// the first one. One that is killed half-way leaves nothing that would be taken
// for a whole file.
func OpenPixels(ctx context.Context, pack *Pack, g Geometry, digest, cacheDir string, workers int) (*Pixels, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	dir := filepath.Join(cacheDir, "pixels")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the cache of pictures: %w", err)
	}
	h, w := g.size()
	p := &Pixels{index: pack.Index, geometry: g, stride: g.depth() * h * w}
	key := fmt.Sprintf("codec %d pack %s resize %v channels %s", codec, digest, g.Resize, g.Channels)
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(dir, hex.EncodeToString(sum[:16])+".u8")
	if err := p.mapFile(path, key); err == nil {
		return p, nil
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := p.mapFile(path, key); err == nil { // somebody else was first
		return p, nil
	}
	if err := p.decodeAll(ctx, pack, path, key, workers); err != nil {
		return nil, err
	}
	if err := p.mapFile(path, key); err != nil {
		return nil, fmt.Errorf("open the cache of pictures: %w", err)
	}
	return p, nil
}

// lockPoll is how often a lock that somebody holds is asked for again: waiting
// in the kernel could not be cancelled.
const lockPoll = 50 * time.Millisecond

// lock waits for an exclusive lock on a file. The system gives it back when its
// holder dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the cache of pictures: %w", err)
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
		return nil, fmt.Errorf("lock the cache of pictures: %w", err)
	}
	return func() { f.Close() }, nil
}

// mapFile maps a finished cache file; an error where there is none, or one that
// is not what its name says.
func (p *Pixels) mapFile(path, key string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	want := int64(headSize) + int64(p.stride)*int64(len(p.index.Samples))
	if info.Size() != want {
		return fmt.Errorf("%s has %d bytes, not %d", path, info.Size(), want)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(want), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map %s: %w", path, err)
	}
	if !bytes.Equal(data[:headSize], head(key)) {
		_ = unix.Munmap(data)
		return fmt.Errorf("%s holds something else", path)
	}
	p.data = data
	return nil
}

func head(key string) []byte {
	out := make([]byte, headSize)
	copy(out, key)
	return out
}

// decodeAll writes the cache file beside its place and renames it. The caller
// holds the lock: what stands there is from somebody who died, and is reused.
func (p *Pixels) decodeAll(ctx context.Context, pack *Pack, path, key string, workers int) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return fmt.Errorf("make the cache of pictures: %w", err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.WriteAt(head(key), 0); err != nil {
		return fmt.Errorf("write the cache of pictures: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, workers))
	for i := range pack.Index.Samples {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return p.decodeOne(pack, f, i)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("write the cache of pictures: %w", err)
	}
	return os.Rename(f.Name(), path)
}

func (p *Pixels) decodeOne(pack *Pack, f *os.File, i int) error {
	data, err := pack.Picture(i)
	if err != nil {
		return err
	}
	pixels, err := Prepare(data, p.geometry)
	if err != nil {
		return fmt.Errorf("%s: %w", p.index.Samples[i].File, err)
	}
	if _, err := f.WriteAt(pixels, headSize+int64(i)*int64(p.stride)); err != nil {
		return fmt.Errorf("write the cache of pictures: %w", err)
	}
	return nil
}

// Close unmaps the file. No method may be called after it.
func (p *Pixels) Close() error {
	data := p.data
	p.data = nil
	if data == nil {
		return nil
	}
	return unix.Munmap(data)
}

// Len is the number of pictures.
func (p *Pixels) Len() int { return len(p.index.Samples) }

// Label is the class of a sample.
func (p *Pixels) Label(sample int) int { return p.index.Samples[sample].Label }

// File is the sample's file name.
func (p *Pixels) File(sample int) string { return p.index.Samples[sample].File }

// Geometry is the size of the stored pictures and the side of the crop.
func (p *Pixels) Geometry() (channels, height, width, crop int) {
	h, w := p.geometry.size()
	return p.geometry.depth(), h, w, p.geometry.Crop
}

// Normalisation is (x - mean) * scale, per channel.
func (p *Pixels) Normalisation() (mean, scale []float32) { return p.geometry.normalisation() }

// Window copies the crop of a sample at (top, left) into dst, planar; without a
// crop the whole picture, and top and left must be 0.
func (p *Pixels) Window(dst []uint8, sample, top, left int, mirror bool) error {
	if sample < 0 || sample >= len(p.index.Samples) {
		return fmt.Errorf("there is no sample %d of %d", sample, len(p.index.Samples))
	}
	at := headSize + sample*p.stride
	h, w := p.geometry.size()
	return window(dst, p.data[at:at+p.stride], p.geometry.depth(), h, w, p.geometry.Crop, top, left, mirror)
}

func window(dst, src []uint8, channels, h, w, crop, top, left int, mirror bool) error {
	ch, cw := crop, crop
	if crop == 0 {
		ch, cw = h, w
	}
	if top < 0 || left < 0 || top+ch > h || left+cw > w || len(dst) != channels*ch*cw {
		return fmt.Errorf("the window %d×%d at (%d, %d) does not fit %d×%d, or its %d bytes do not fit", ch, cw, top, left, h, w, len(dst))
	}
	for c := range channels {
		for y := range ch {
			from := src[(c*h+top+y)*w+left:][:cw]
			to := dst[(c*ch+y)*cw:][:cw]
			if !mirror {
				copy(to, from)
				continue
			}
			reverse(to, from)
		}
	}
	return nil
}

// reverse copies src into dst back to front, eight bytes at a time: one at a time
// it is what a training of a small network waits for.
func reverse(dst, src []uint8) {
	for len(src) >= 8 {
		last := dst[len(dst)-8:]
		binary.LittleEndian.PutUint64(last, bits.ReverseBytes64(binary.LittleEndian.Uint64(src)))
		dst, src = dst[:len(dst)-8], src[8:]
	}
	for x, v := range src {
		dst[len(dst)-1-x] = v
	}
}

// Pictures are a few prepared pictures in memory, for predictions; they serve
// trainer.Data as Pixels do, with labels that are not known (-1).
type Pictures struct {
	files    []string
	planes   [][]uint8
	geometry Geometry
}

// Load prepares encoded pictures; files names them.
func Load(files []string, read func(file string) ([]byte, error), g Geometry) (*Pictures, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	p := &Pictures{files: files, geometry: g}
	for _, f := range files {
		data, err := read(f)
		if err != nil {
			return nil, err
		}
		planes, err := Prepare(data, g)
		if err != nil {
			return nil, &Error{File: f, Problem: err.Error(), hint: "give pictures: JPEG, PNG, GIF, WebP or BMP"}
		}
		p.planes = append(p.planes, planes)
	}
	return p, nil
}

// Label is -1: nobody knows.
func (p *Pictures) Label(int) int { return -1 }

// File is the picture's name.
func (p *Pictures) File(sample int) string { return p.files[sample] }

// Geometry is as for Pixels.
func (p *Pictures) Geometry() (channels, height, width, crop int) {
	h, w := p.geometry.size()
	return p.geometry.depth(), h, w, p.geometry.Crop
}

// Normalisation is as for Pixels.
func (p *Pictures) Normalisation() (mean, scale []float32) { return p.geometry.normalisation() }

// Window is as for Pixels.
func (p *Pictures) Window(dst []uint8, sample, top, left int, mirror bool) error {
	h, w := p.geometry.size()
	return window(dst, p.planes[sample], p.geometry.depth(), h, w, p.geometry.Crop, top, left, mirror)
}
