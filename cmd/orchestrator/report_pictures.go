package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/jpeg"
	"path/filepath"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/dataset"
)

// pictureSource reads the pictures of a sweep's data set.
type pictureSource struct {
	pack   *dataset.Pack
	sample map[string]int // by file
}

// openPictures fetches the data set into the cache, where workers keep it too.
func (a *app) openPictures(ctx context.Context, store artifacts.Store, ref plan.Ref) (*pictureSource, error) {
	path := filepath.Join(a.config.CacheDir, "packs", ref.Digest+".tar")
	if err := artifacts.Fetch(ctx, store, ref.Key, path, ref.Digest); err != nil {
		return nil, fmt.Errorf("fetch the data set: %w", err)
	}
	pack, err := dataset.OpenPack(path)
	if err != nil {
		return nil, err
	}
	p := &pictureSource{pack: pack, sample: map[string]int{}}
	for i, s := range pack.Index.Samples {
		p.sample[s.File] = i
	}
	return p, nil
}

func (p *pictureSource) close() { _ = p.pack.Close() } // it was only read

// read is a picture as it is in the data set.
func (p *pictureSource) read(file string) ([]byte, error) {
	i, ok := p.sample[file]
	if !ok {
		return nil, fmt.Errorf("the data set has no picture %s", file)
	}
	return p.pack.Picture(i)
}

const thumbnailSide = 128

// thumbnail is the central square of a picture as a small JPEG.
func (p *pictureSource) thumbnail(file string) ([]byte, error) {
	return p.square(file, thumbnailSide, image.Rect(0, 0, thumbnailSide, thumbnailSide))
}

// square is a part of a picture whose central square has that side.
func (p *pictureSource) square(file string, side int, part image.Rectangle) ([]byte, error) {
	data, err := p.read(file)
	if err != nil {
		return nil, err
	}
	planes, err := dataset.Prepare(data, dataset.Geometry{Resize: []int{side}, Channels: "rgb"})
	if err != nil {
		return nil, fmt.Errorf("picture %s: %w", file, err)
	}
	out := image.NewRGBA(image.Rect(0, 0, part.Dx(), part.Dy()))
	for y := range part.Dy() {
		for x := range part.Dx() {
			for c := range 3 {
				out.Pix[out.PixOffset(x, y)+c] = planes[(c*side+part.Min.Y+y)*side+part.Min.X+x]
			}
			out.Pix[out.PixOffset(x, y)+3] = 255
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 80}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
