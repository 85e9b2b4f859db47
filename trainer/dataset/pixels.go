package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"orchestrator/trainer/cachefile"
)

// codec is part of the name of every cache file: raise it when the same picture
// would give other pixels.
const codec = 3

// Pixels are the decoded pictures of a pack: uint8, planar, in one memory-mapped
// file. It serves trainer.Data; all methods may be called concurrently.
type Pixels struct {
	index    *Index
	geometry Geometry
	file     *cachefile.File
	stride   int // bytes per picture
}

// OpenPixels returns the pixels of a pack from the cache folder, and decodes
// the pictures first if nobody has. Processes that ask at the same time wait for
// the first one. One that is killed half-way leaves nothing that would be taken
// for a whole file.
func OpenPixels(ctx context.Context, pack *Pack, g Geometry, digest, cacheDir string, workers int) (*Pixels, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	h, w := g.size()
	p := &Pixels{index: pack.Index, geometry: g, stride: g.depth() * h * w}
	key := fmt.Sprintf("codec %d pack %s resize %v channels %s", codec, digest, g.Resize, g.Channels)
	sum := sha256.Sum256([]byte(key))
	path := filepath.Join(cacheDir, "pixels", hex.EncodeToString(sum[:16])+".u8")
	size := int64(p.stride) * int64(len(pack.Index.Samples))
	var err error
	p.file, err = cachefile.Open(ctx, path, key, size, func(ctx context.Context, d *cachefile.Draft) error {
		return p.decodeAll(ctx, pack, d, workers)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// decodeAll fills the file.
func (p *Pixels) decodeAll(ctx context.Context, pack *Pack, d *cachefile.Draft, workers int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(max(1, workers))
	for i := range pack.Index.Samples {
		g.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return p.decodeOne(pack, d, i)
		})
	}
	return g.Wait()
}

func (p *Pixels) decodeOne(pack *Pack, d *cachefile.Draft, i int) error {
	data, err := pack.Picture(i)
	if err != nil {
		return err
	}
	pixels, err := Prepare(data, p.geometry)
	if err != nil {
		return fmt.Errorf("%s: %w", p.index.Samples[i].File, err)
	}
	if _, err := d.WriteAt(pixels, int64(i)*int64(p.stride)); err != nil {
		return fmt.Errorf("write the cache of pictures: %w", err)
	}
	return nil
}

// Close unmaps the file. No method may be called after it.
func (p *Pixels) Close() error { return p.file.Close() }

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
	at := sample * p.stride
	h, w := p.geometry.size()
	return window(dst, p.file.Bytes()[at:at+p.stride], p.geometry.depth(), h, w, p.geometry.Crop, top, left, mirror)
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
			return nil, &Error{File: f, Problem: err.Error(), hint: "give pictures: JPEG, PNG, GIF, WebP, BMP or TIFF"}
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
