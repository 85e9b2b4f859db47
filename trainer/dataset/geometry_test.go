package dataset

import (
	"bytes"
	"image"
	"image/color"
	"math"
	"testing"
)

func TestGeometryCheck(t *testing.T) {
	good := Geometry{Resize: []int{8, 6}, Crop: 6, Channels: "rgb", Mean: []float64{1, 2, 3}, Std: []float64{1, 1, 2}, Scale: 0.5}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  func(*Geometry)
		word string
	}{
		{"no size", func(g *Geometry) { g.Resize = nil }, "resize"},
		{"three sizes", func(g *Geometry) { g.Resize = []int{8, 8, 8} }, "resize"},
		{"size 0", func(g *Geometry) { g.Resize = []int{0, 8} }, "resize"},
		{"huge", func(g *Geometry) { g.Resize = []int{1 << 20} }, "resize"},
		{"crop beyond the shorter side", func(g *Geometry) { g.Crop = 7 }, "crop 7"},
		{"negative crop", func(g *Geometry) { g.Crop = -1 }, "crop -1"},
		{"unknown channels", func(g *Geometry) { g.Channels = "hsv" }, "hsv"},
		{"means of another depth", func(g *Geometry) { g.Mean = []float64{1} }, "1 values for 3 channels"},
		{"stds of another depth", func(g *Geometry) { g.Channels, g.Mean = "grey", nil }, "3 values for 1 channels"},
		{"std 0", func(g *Geometry) { g.Std = []float64{1, 0, 1} }, "std"},
		{"negative std", func(g *Geometry) { g.Std = []float64{1, -1, 1} }, "std"},
		{"a mean that is no number", func(g *Geometry) { g.Mean = []float64{1, math.NaN(), 1} }, "finite"},
		{"an infinite scale", func(g *Geometry) { g.Scale = math.Inf(1) }, "finite"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := good
			c.set(&g)
			wantBadInput(t, g.Check(), c.word)
		})
	}
}

func TestNormalisation(t *testing.T) {
	for _, c := range []struct {
		g           Geometry
		mean, scale []float32
	}{
		{Geometry{Channels: "grey"}, []float32{0}, []float32{1}},
		{Geometry{Channels: "rgb", Mean: []float64{1, 2, 3}}, []float32{1, 2, 3}, []float32{1, 1, 1}},
		{Geometry{Channels: "bgr", Std: []float64{2, 4, 8}}, []float32{0, 0, 0}, []float32{0.5, 0.25, 0.125}},
		{Geometry{Channels: "rgb", Mean: []float64{8, 8, 8}, Std: []float64{2, 4, 8}, Scale: 0.5}, []float32{8, 8, 8}, []float32{0.25, 0.125, 0.0625}},
	} {
		mean, scale := c.g.normalisation()
		for i := range c.mean {
			if mean[i] != c.mean[i] || scale[i] != c.scale[i] {
				t.Errorf("%+v: mean %v and scale %v, want %v and %v", c.g, mean, scale, c.mean, c.scale)
			}
		}
	}
}

// thirds is 30×10 pixels: red, green and blue from left to right.
func thirds() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 30, 10))
	for y := range 10 {
		for x := range 30 {
			img.Set(x, y, []color.Color{color.NRGBA{200, 0, 0, 255}, color.NRGBA{0, 150, 0, 255}, color.NRGBA{0, 0, 100, 255}}[x/10])
		}
	}
	return img
}

// TestPrepare says what resizing takes of a picture, and how channels are laid
// out.
func TestPrepare(t *testing.T) {
	picture := pngOf(t, thirds())
	for _, c := range []struct {
		name string
		g    Geometry
		want []uint8
	}{
		{"two numbers warp", Geometry{Resize: []int{1, 3}, Channels: "rgb"}, nil},
		{"as it is, bgr", Geometry{Resize: []int{10, 30}, Channels: "bgr"}, nil},
		{"one number takes the middle square", Geometry{Resize: []int{2}, Channels: "rgb"}, []uint8{0, 0, 0, 0, 150, 150, 150, 150, 0, 0, 0, 0}},
		{"one number, enlarged", Geometry{Resize: []int{20}, Channels: "grey"}, bytes.Repeat([]uint8{88}, 400)}, // 0.587·150
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Prepare(picture, c.g)
			if err != nil {
				t.Fatal(err)
			}
			if c.want != nil && !bytes.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
			h, w := c.g.size()
			if len(got) != c.g.depth()*h*w {
				t.Errorf("%d bytes for %+v", len(got), c.g)
			}
		})
	}
	bgr, err := Prepare(picture, Geometry{Resize: []int{10, 30}, Channels: "bgr"})
	if err != nil {
		t.Fatal(err)
	}
	for x, want := range []struct{ b, g, r uint8 }{5: {0, 0, 200}, 15: {0, 150, 0}, 25: {100, 0, 0}} {
		if at := 30*4 + x; x%10 == 5 && (bgr[at] != want.b || bgr[300+at] != want.g || bgr[600+at] != want.r) {
			t.Errorf("column %d is b %d, g %d, r %d; want %v", x, bgr[at], bgr[300+at], bgr[600+at], want)
		}
	}
	warped, err := Prepare(picture, Geometry{Resize: []int{1, 3}, Channels: "rgb"})
	if err != nil {
		t.Fatal(err)
	}
	if red, green, blue := warped[0:3], warped[3:6], warped[6:9]; !(red[0] > 120 && red[2] == 0 && green[1] > 90 && blue[2] > 60 && blue[0] == 0) {
		t.Errorf("warped to red %v, green %v, blue %v", red, green, blue)
	}
}

// TestShrinkingAverages: a fine pattern becomes its mean and not one of its
// colours.
func TestShrinkingAverages(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 64, 64))
	for i := range img.Pix {
		img.Pix[i] = uint8(255 * ((i + i/64) % 2))
	}
	got, err := Prepare(pngOf(t, img), Geometry{Resize: []int{8, 8}, Channels: "grey"})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v < 120 || v > 135 {
			t.Fatalf("pixel %d is %d, want about 127", i, v)
		}
	}
}

// TestWindow copies crops of a 2-channel 3×4 picture whose bytes count up.
func TestWindow(t *testing.T) {
	src := make([]uint8, 2*3*4)
	for i := range src {
		src[i] = uint8(i)
	}
	for _, c := range []struct {
		name            string
		crop, top, left int
		mirror          bool
		want            []uint8
	}{
		{"all", 0, 0, 0, false, src},
		{"all, mirrored", 0, 0, 0, true, []uint8{3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 19, 18, 17, 16, 23, 22, 21, 20}},
		{"first corner", 2, 0, 0, false, []uint8{0, 1, 4, 5, 12, 13, 16, 17}},
		{"last corner", 2, 1, 2, false, []uint8{6, 7, 10, 11, 18, 19, 22, 23}},
		{"last corner, mirrored", 2, 1, 2, true, []uint8{7, 6, 11, 10, 19, 18, 23, 22}},
		{"beyond the right", 2, 0, 3, false, nil},
		{"beyond the bottom", 2, 2, 0, false, nil},
		{"above", 2, -1, 0, false, nil},
		{"left of it", 2, 0, -1, false, nil},
		{"moved without a crop", 0, 1, 0, false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dst := make([]uint8, len(c.want))
			if c.want == nil {
				dst = make([]uint8, 2*c.crop*c.crop)
			}
			err := window(dst, src, 2, 3, 4, c.crop, c.top, c.left, c.mirror)
			if (err == nil) != (c.want != nil) || err == nil && !bytes.Equal(dst, c.want) {
				t.Errorf("got %v, error %v; want %v", dst, err, c.want)
			}
		})
	}
	if err := window(make([]uint8, 7), src, 2, 3, 4, 2, 0, 0, false); err == nil {
		t.Error("a destination of another size was accepted")
	}
}

// TestMirrorWidths: a row of any length is turned around.
func TestMirrorWidths(t *testing.T) {
	for w := 1; w < 40; w++ {
		row, want := make([]uint8, w), make([]uint8, w)
		for x := range row {
			row[x], want[w-1-x] = uint8(x), uint8(x)
		}
		got := make([]uint8, w)
		if err := window(got, row, 1, 1, w, 0, 0, 0, true); err != nil || !bytes.Equal(got, want) {
			t.Errorf("width %d: %v, error %v", w, got, err)
		}
	}
}
