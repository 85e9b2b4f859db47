package dataset

import (
	"fmt"
	"image"
	"math"
	"slices"

	"golang.org/x/image/draw"
)

// Geometry is how a picture becomes an array: Caffe's preprocessing.
type Geometry struct {
	// Resize is [height, width], which warps; or one number: the shorter side
	// becomes that long, and the central square is taken.
	Resize []int
	// Crop is the side of the square window that the network sees; 0: all.
	Crop     int
	Channels string // rgb | bgr | grey
	// The network sees (x - Mean) * Scale / Std, x in 0..255, per channel in the
	// order of Channels. Empty means 0, a Scale of 0 means 1.
	Mean, Std []float64
	Scale     float64
}

// depth is the number of channels.
func (g Geometry) depth() int {
	if g.Channels == "grey" {
		return 1
	}
	return 3
}

// size is the stored height and width.
func (g Geometry) size() (height, width int) {
	if len(g.Resize) == 1 {
		return g.Resize[0], g.Resize[0]
	}
	return g.Resize[0], g.Resize[1]
}

// Check says what is wrong with the settings.
func (g Geometry) Check() error {
	if len(g.Resize) < 1 || len(g.Resize) > 2 {
		return &Error{Problem: fmt.Sprintf("resize %v is not one or two numbers", g.Resize), hint: "resize: [256, 256]"}
	}
	h, w := g.size()
	if h < 1 || w < 1 || h > 1<<14 || w > 1<<14 || g.Crop < 0 || g.Crop > min(h, w) {
		return &Error{Problem: fmt.Sprintf("resize %v and crop %d do not fit", g.Resize, g.Crop), hint: "the crop must not be larger than the resized picture"}
	}
	switch g.Channels {
	case "rgb", "bgr", "grey":
	default:
		return &Error{Problem: fmt.Sprintf("channels %q are not known", g.Channels), hint: "channels: rgb, bgr or grey"}
	}
	for _, list := range [][]float64{g.Mean, g.Std} {
		if n := len(list); n != 0 && n != g.depth() {
			return &Error{Problem: fmt.Sprintf("%d values for %d channels", n, g.depth()), hint: "mean and std have one value per channel"}
		}
	}
	return g.checkNumbers()
}

// checkNumbers refuses what would make every pixel infinite or not a number.
func (g Geometry) checkNumbers() error {
	for _, x := range slices.Concat(g.Mean, g.Std, []float64{g.Scale}) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return &Error{Problem: fmt.Sprintf("mean %v, std %v or scale %v is not a finite number", g.Mean, g.Std, g.Scale), hint: "pixels become (x - mean) * scale / std, x from 0 to 255"}
		}
	}
	for _, x := range g.Std {
		if x <= 0 {
			return &Error{Problem: fmt.Sprintf("std %v is not positive", g.Std), hint: "std divides each channel; leave it out for 1"}
		}
	}
	return nil
}

// Prepare decodes, turns upright and resizes one encoded picture into planar
// bytes: channels × height × width, each row from left to right.
func Prepare(picture []byte, g Geometry) ([]uint8, error) {
	img, format, err := decode(picture)
	if err != nil {
		return nil, err
	}
	h, w := g.size()
	whole := upright(opaque(img), orientation(picture, format))
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	// The kernel widens when it shrinks, so that it does not alias.
	draw.BiLinear.Scale(dst, dst.Rect, whole, g.part(whole.Rect), draw.Src, nil)
	return planar(dst, g), nil
}

// Thumbnail decodes a picture, turns it upright and shrinks it to fit into a square of
// that side, in pixels. A smaller picture stays as it is.
func Thumbnail(picture []byte, side int) (*image.RGBA, error) {
	img, format, err := decode(picture)
	if err != nil {
		return nil, err
	}
	whole := upright(opaque(img), orientation(picture, format))
	w, h := whole.Rect.Dx(), whole.Rect.Dy()
	if longer := max(w, h); longer > side {
		w, h = max(1, w*side/longer), max(1, h*side/longer)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(dst, dst.Rect, whole, whole.Rect, draw.Src, nil)
	return dst, nil
}

// part is the region that is resized: all, or the central square.
func (g Geometry) part(r image.Rectangle) image.Rectangle {
	if len(g.Resize) == 2 {
		return r
	}
	side := min(r.Dx(), r.Dy())
	x, y := (r.Dx()-side)/2, (r.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}

// planar separates the channels.
func planar(img *image.RGBA, g Geometry) []uint8 {
	n := img.Rect.Dx() * img.Rect.Dy()
	out := make([]uint8, g.depth()*n)
	for i := range n {
		r, gr, b := img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2]
		switch g.Channels {
		case "rgb":
			out[i], out[n+i], out[2*n+i] = r, gr, b
		case "bgr":
			out[i], out[n+i], out[2*n+i] = b, gr, r
		default: // ITU-R BT.601 luma, as in JPEG
			out[i] = uint8((299*int(r) + 587*int(gr) + 114*int(b) + 500) / 1000)
		}
	}
	return out
}

// normalisation is (x - mean) * scale per channel.
func (g Geometry) normalisation() (mean, scale []float32) {
	mean, scale = make([]float32, g.depth()), make([]float32, g.depth())
	for c := range mean {
		factor := g.Scale
		if factor == 0 {
			factor = 1
		}
		if len(g.Mean) > 0 {
			mean[c] = float32(g.Mean[c])
		}
		if len(g.Std) > 0 {
			factor /= g.Std[c]
		}
		scale[c] = float32(factor)
	}
	return mean, scale
}
