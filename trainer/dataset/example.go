package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"orchestrator/trainer/rng"
)

// exampleClasses are the patterns that the example pictures show.
var exampleClasses = []string{"checks", "rings", "stripes"}

// Example draws a small data set into class folders. The class is the kind of
// pattern; its angle, place, scale, sharpness and colours, the light and the
// noise are drawn without regard to the class, so that neither colours nor single
// pixels give it away.
// The same arguments draw the same pictures. A folder that holds other files
// already is an error; pictures of these names are drawn anew where they differ.
func Example(dir string, pictures, size int, seed int64) error {
	if pictures < 2*len(exampleClasses) || size < 8 || size > 1024 {
		return &Error{Problem: fmt.Sprintf("%d pictures of %d pixels", pictures, size), hint: fmt.Sprintf("at least %d pictures of 8 to 1024 pixels", 2*len(exampleClasses))}
	}
	if err := notOthers(dir, pictures); err != nil {
		return err
	}
	for _, class := range exampleClasses {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
	}
	for i := range pictures {
		var b bytes.Buffer
		if err := png.Encode(&b, drawExample(i%len(exampleClasses), size, rng.New(seed, "example", i))); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
		file := filepath.Join(dir, exampleFile(i))
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, b.Bytes()) {
			continue
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
	}
	return nil
}

// exampleFile names picture i, relative to the folder.
func exampleFile(i int) string {
	return filepath.Join(exampleClasses[i%len(exampleClasses)], fmt.Sprintf("%04d.png", i))
}

// notOthers refuses to draw between other people's files, and between those of
// a larger set, which would stay.
func notOthers(dir string, pictures int) error {
	ours := map[string]bool{}
	for i := range pictures {
		ours[exampleFile(i)] = true
	}
	for _, c := range exampleClasses {
		ours[c] = true
	}
	return filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil || rel == "." || ours[rel] {
			return err
		}
		return &Error{File: dir, Problem: "the folder holds " + rel, hint: "give a new folder, or an empty one"}
	})
}

// pattern is what a picture is covered with, in two colours.
type pattern struct {
	class      int
	sin, cos   float64 // of its angle
	frequency  float64 // periods across the picture, times 2π
	phase      [2]float64
	middle     [2]float64 // of the rings
	low, span  [3]float64 // the colour at -1, and the way from there to +1
	grain      float64    // standard deviation of the noise
	sharpness  float64
	gradient   [2]float64
	brightness float64
}

func newPattern(class int, r *rand.Rand) pattern {
	angle := r.Float64() * 2 * math.Pi
	p := pattern{
		class: class, sin: math.Sin(angle), cos: math.Cos(angle),
		frequency: 2 * math.Pi * (3 + 2*r.Float64()),
		phase:     [2]float64{r.Float64() * 2 * math.Pi, r.Float64() * 2 * math.Pi},
		middle:    [2]float64{r.Float64(), r.Float64()},
		grain:     8 + 12*r.Float64(), sharpness: 1 + 2*r.Float64(),
		gradient:   [2]float64{60 * (r.Float64() - 0.5), 60 * (r.Float64() - 0.5)},
		brightness: 30 * (r.Float64() - 0.5),
	}
	for c := range 3 {
		from, to := 20+90*r.Float64(), 145+90*r.Float64()
		if r.IntN(2) == 0 {
			from, to = to, from
		}
		p.low[c], p.span[c] = from, to-from
	}
	return p
}

// at is the pattern's value in -1..1 at a point of the unit square.
func (p pattern) at(x, y float64) float64 {
	u, v := x*p.cos+y*p.sin, y*p.cos-x*p.sin
	var value float64
	switch exampleClasses[p.class] {
	case "checks":
		value = math.Sin(p.frequency*u+p.phase[0]) * math.Sin(p.frequency*v+p.phase[1])
	case "rings":
		value = math.Sin(p.frequency*math.Hypot(x-p.middle[0], y-p.middle[1]) + p.phase[0])
	default:
		value = math.Sin(p.frequency*u + p.phase[0])
	}
	return math.Tanh(p.sharpness * value)
}

func drawExample(class, size int, r *rand.Rand) image.Image {
	p := newPattern(class, r)
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for py := range size {
		for px := range size {
			x, y := (float64(px)+0.5)/float64(size), (float64(py)+0.5)/float64(size)
			light := p.brightness + p.gradient[0]*(x-0.5) + p.gradient[1]*(y-0.5) + p.grain*r.NormFloat64()
			t := (p.at(x, y) + 1) / 2
			var c [3]uint8
			for k := range c {
				c[k] = clamp(p.low[k] + t*p.span[k] + light)
			}
			img.SetRGBA(px, py, color.RGBA{c[0], c[1], c[2], 255})
		}
	}
	return img
}

func clamp(x float64) uint8 { return uint8(min(max(x, 0), 255)) }
