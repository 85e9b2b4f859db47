package dataset

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"orchestrator/trainer/rng"
)

// exampleClasses are the shapes that the example pictures show.
var exampleClasses = []string{"circle", "cross", "triangle"}

// Example draws a small data set into class folders. The class is the shape of
// the largest object: its place, size, angle and colour, the background's colour
// and gradient, small clutter and noise are drawn without regard to the class.
// The same arguments draw the same pictures. A folder that holds something else
// already is an error; one that holds these pictures is left as it is.
func Example(dir string, pictures, size int, seed int64) error {
	if pictures < 2*len(exampleClasses) || size < 8 || size > 1024 {
		return &Error{Problem: fmt.Sprintf("%d pictures of %d pixels", pictures, size), hint: fmt.Sprintf("at least %d pictures of 8 to 1024 pixels", 2*len(exampleClasses))}
	}
	if err := notOthers(dir); err != nil {
		return err
	}
	for _, class := range exampleClasses {
		if err := os.MkdirAll(filepath.Join(dir, class), 0o755); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
	}
	for i := range pictures {
		class := i % len(exampleClasses)
		var b bytes.Buffer
		if err := png.Encode(&b, drawExample(class, size, rng.New(seed, "example", i))); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
		file := filepath.Join(dir, exampleClasses[class], fmt.Sprintf("%04d.png", i))
		if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, b.Bytes()) {
			continue
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("draw the example pictures: %w", err)
		}
	}
	return nil
}

// notOthers refuses to draw between other people's files.
func notOthers(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("draw the example pictures: %w", err)
	}
	for _, e := range entries {
		known := false
		for _, c := range exampleClasses {
			known = known || e.Name() == c
		}
		if !known {
			return &Error{File: dir, Problem: fmt.Sprintf("the folder holds %s", e.Name()), hint: "give a new folder, or an empty one"}
		}
	}
	return nil
}

// shape is a figure on the picture, in pixels; angle in radians.
type shape struct {
	class       int
	x, y, r     float64
	sin, cos    float64
	red, gr, bl float64
}

func newShape(class int, size float64, r *rand.Rand) shape {
	angle := r.Float64() * 2 * math.Pi
	return shape{class: class, r: size, sin: math.Sin(angle), cos: math.Cos(angle),
		red: r.Float64() * 255, gr: r.Float64() * 255, bl: r.Float64() * 255}
}

// covers tells whether a point is inside. All three figures have about the same
// area, so that brightness does not give them away.
func (s shape) covers(px, py float64) bool {
	dx, dy := (px-s.x)/s.r, (py-s.y)/s.r
	x, y := dx*s.cos+dy*s.sin, dy*s.cos-dx*s.sin
	switch exampleClasses[s.class] {
	case "circle":
		return x*x+y*y < 0.64
	case "cross":
		a, b := math.Abs(x), math.Abs(y)
		return a < 0.3 && b < 1 || b < 0.3 && a < 1
	}
	// An equilateral triangle with its corners at distance 1.24 from the middle.
	const inner = 0.62
	return y > -inner && math.Sqrt(3)/2*x-y/2 > -inner && -math.Sqrt(3)/2*x-y/2 > -inner
}

func drawExample(class, size int, r *rand.Rand) image.Image {
	n := float64(size)
	main := newShape(class, n*(0.24+0.1*r.Float64()), r)
	main.x, main.y = n*(0.35+0.3*r.Float64()), n*(0.35+0.3*r.Float64())
	shapes := []shape{main}
	for range 4 { // clutter: small figures of any kind
		s := newShape(r.IntN(len(exampleClasses)), n*0.06, r)
		s.x, s.y = n*r.Float64(), n*r.Float64()
		shapes = append(shapes, s)
	}
	ground := newShape(0, 1, r)
	slope := 80 * (r.Float64() - 0.5)
	img := image.NewRGBA(image.Rect(0, 0, size, size))
	for y := range size {
		for x := range size {
			c := ground
			tilt := slope * (float64(x)*ground.cos + float64(y)*ground.sin) / n
			for _, s := range shapes {
				if s.covers(float64(x)+0.5, float64(y)+0.5) {
					c, tilt = s, 0
					break
				}
			}
			noise := 12 * r.NormFloat64()
			img.SetRGBA(x, y, color.RGBA{clamp(c.red + tilt + noise), clamp(c.gr + tilt + noise), clamp(c.bl + tilt + noise), 255})
		}
	}
	return img
}

func clamp(x float64) uint8 { return uint8(min(max(x, 0), 255)) }
