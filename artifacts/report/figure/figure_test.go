package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

// Every figure is a well-formed SVG document and a PNG with ink in it, and names
// its series; figures of nothing do not fail.
func TestFigures(t *testing.T) {
	axes := Axes{"a <title>", "x", "y"}
	line := Series{Name: "softmax", X: []float64{1, 2, 3}, Y: []float64{0.5, math.NaN(), 0.8}, Low: []float64{0.4, 0.5, 0.7}, High: []float64{0.6, 0.7, 0.9}}
	for name, draw := range map[string]func() (*Figure, error){
		"lines": func() (*Figure, error) { return Lines(axes, line) },
		"roc": func() (*Figure, error) {
			return ROC(axes, Series{Name: "softmax", X: []float64{0, 1}, Y: []float64{0, 1}})
		},
		"histogram": func() (*Figure, error) {
			return Histogram(axes, []string{"softmax", "b"}, [][]int{{1, 0, 2}, {0, 3, 1}})
		},
		"categories": func() (*Figure, error) {
			return Categories(axes, []string{"conv1", "conv2", "conv3"}, 0.5, Series{Name: "softmax", Y: []float64{0.5, 0.6, 0.7}, Low: line.Low, High: line.High})
		},
		"scatter": func() (*Figure, error) {
			return Scatter(axes, Series{Name: "softmax", X: line.X, Y: []float64{3, 1, 2}})
		},
		"nothing": func() (*Figure, error) { return Lines(axes, Series{Name: "softmax"}) },
	} {
		t.Run(name, func(t *testing.T) {
			f, err := draw()
			if err != nil {
				t.Fatal(err)
			}
			svg, err := f.SVG()
			if err != nil {
				t.Fatal(err)
			}
			wellFormed(t, svg)
			if !strings.Contains(string(svg), "a &lt;title&gt;") || name != "nothing" && !strings.Contains(string(svg), "softmax") {
				t.Error("the title or a series' name is missing")
			}
			data, err := f.PNG()
			if err != nil {
				t.Fatal(err)
			}
			picture, err := png.Decode(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			colors := map[[3]uint32]bool{}
			for y := range picture.Bounds().Dy() {
				for x := range picture.Bounds().Dx() {
					r, g, b, _ := picture.At(x, y).RGBA()
					colors[[3]uint32{r, g, b}] = true
				}
			}
			if len(colors) < 3 {
				t.Errorf("the picture has %d colours", len(colors))
			}
		})
	}
}

func wellFormed(t *testing.T, svg []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatalf("not well formed: %v", err)
		}
	}
}
