package scoremap

import (
	"image"
	"image/color"
	"image/draw"
	"strings"
	"testing"
)

// Each place is a square of one colour, half picture and half map; the legend runs
// from the colour of 0 to that of 1.
func TestDraw(t *testing.T) {
	picture := image.NewRGBA(image.Rect(0, 0, 60, 40))
	draw.Draw(picture, picture.Bounds(), image.NewUniform(color.RGBA{100, 100, 100, 255}), image.Point{}, draw.Src)
	m := Map{Rows: 2, Columns: 3, Probabilities: [][]float32{{1, 1, 1, 1, 1, 1}, {0, 0.5, 1, 0.25, 0, 1}}}
	out := Draw(picture, m, 1, BlueOrange, Legend{Low: "ants", High: "bees", Answer: "bees 0.9"})
	for y := range 40 {
		for x := range 60 {
			p := BlueOrange.At(float64(m.Probabilities[1][y/20*3+x/20]))
			want := color.RGBA{uint8((100 + int(p.R)) / 2), uint8((100 + int(p.G)) / 2), uint8((100 + int(p.B)) / 2), 255}
			if got := out.RGBAAt(x, y); got != want {
				t.Fatalf("pixel %d,%d is %v, want %v", x, y, got, want)
			}
		}
	}
	if got := out.RGBAAt(6, 50); got != BlueOrange[0] {
		t.Errorf("the legend begins with %v", got)
	}
	if got := out.RGBAAt(53, 50); got != BlueOrange[2] {
		t.Errorf("the legend ends with %v", got)
	}
	ink := 0
	for y := 56; y < 86; y++ {
		for x := range 60 {
			if out.RGBAAt(x, y) == (color.RGBA{0, 0, 0, 255}) {
				ink++
			}
		}
	}
	if ink < 50 {
		t.Errorf("%d pixels of writing", ink)
	}
}

func TestPalette(t *testing.T) {
	for x, want := range map[float64]color.RGBA{-1: RedGreen[0], 0: RedGreen[0], 0.5: RedGreen[1], 1: RedGreen[2], 2: RedGreen[2], 0.25: {164, 64, 0, 255}} {
		if got := RedGreen.At(x); got != want {
			t.Errorf("%v is %v, want %v", x, got, want)
		}
	}
}

func TestAverage(t *testing.T) {
	a := Map{1, 2, [][]float32{{0.2, 0.4}, {0.8, 0.6}}}
	b := Map{1, 2, [][]float32{{0.6, 0.4}, {0.4, 0.6}}}
	m, err := Average([]Map{a, b})
	if err != nil || m.Probabilities[0][0] != 0.4 || m.Probabilities[1][1] != 0.6 || a.Probabilities[0][0] != 0.2 {
		t.Errorf("%v %v", m, err)
	}
	if _, err := Average([]Map{a, {2, 1, a.Probabilities}}); err == nil || !strings.Contains(err.Error(), "1×2 and 2×1") {
		t.Errorf("maps of two sizes: %v", err)
	}
}
