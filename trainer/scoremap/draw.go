package scoremap

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"orchestrator/trainer"
)

// Palette is how probabilities become colours: those of 0, 1/2 and 1.
type Palette [3]color.RGBA

// The palettes. BlueOrange is told apart with every kind of colour blindness
// (Okabe and Ito 2008); RedGreen is the one that the study used.
var (
	BlueOrange = Palette{{213, 94, 0, 255}, {245, 245, 245, 255}, {0, 114, 178, 255}}
	RedGreen   = Palette{{200, 0, 0, 255}, {128, 128, 0, 255}, {0, 160, 0, 255}}
)

// At is the colour of a probability.
func (p Palette) At(x float64) color.RGBA {
	x = min(max(x, 0), 1) * 2
	i := min(int(x), 1)
	mix := func(a, b uint8) uint8 { return uint8(float64(a) + (x-float64(i))*(float64(b)-float64(a)) + 0.5) }
	a, b := p[i], p[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// Legend is what a drawing says below the picture.
type Legend struct {
	Low, High string // what probabilities of 0 and 1 mean
	Answer    string // what the network makes of the whole picture
}

const legendHeight = 46

// Draw lays a class's probabilities over a picture, half picture and half map,
// each place a square of one colour, with a legend below.
func Draw(picture *image.RGBA, m Map, class int, p Palette, l Legend) *image.RGBA {
	size := picture.Bounds().Size()
	out := image.NewRGBA(image.Rect(0, 0, size.X, size.Y+legendHeight))
	draw.Draw(out, out.Bounds(), image.White, image.Point{}, draw.Src)
	for y := range size.Y {
		for x := range size.X {
			at := y*m.Rows/size.Y*m.Columns + x*m.Columns/size.X
			c, under := p.At(float64(m.Probabilities[class][at])), picture.RGBAAt(x, y)
			half := func(a, b uint8) uint8 { return uint8((int(a) + int(b)) / 2) }
			out.SetRGBA(x, y, color.RGBA{half(under.R, c.R), half(under.G, c.G), half(under.B, c.B), 255})
		}
	}
	drawLegend(out, size, p, l)
	return out
}

// drawLegend draws a bar with the colours from 0 to 1 and says what they mean.
func drawLegend(out *image.RGBA, size image.Point, p Palette, l Legend) {
	const margin, bar = 6, 10
	width := max(size.X-2*margin, 1)
	for x := range width {
		c := p.At(float64(x) / float64(max(width-1, 1)))
		for y := range bar {
			out.SetRGBA(margin+x, size.Y+margin+y, c)
		}
	}
	text := func(x, y int, s string) {
		d := font.Drawer{Dst: out, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(x, y)}
		d.DrawString(s)
	}
	advance := basicfont.Face7x13.Advance
	low, high := fmt.Sprintf("0 %s", l.Low), fmt.Sprintf("%s 1", l.High)
	text(margin, size.Y+28, low)
	text(max(margin+len([]rune(low))*advance+margin, size.X-margin-len([]rune(high))*advance), size.Y+28, high)
	text(margin, size.Y+42, l.Answer)
}

// Picture is what the network sees of a sample of data, its central crop where there
// is one, before normalisation.
// channels is the order of the planes: rgb, bgr or grey.
func Picture(data trainer.Data, sample int, channels string) (*image.RGBA, error) {
	depth, height, width, crop := data.Geometry()
	top, left := 0, 0
	if crop > 0 {
		top, left, height, width = (height-crop)/2, (width-crop)/2, crop, crop
	}
	planes := make([]uint8, depth*height*width)
	if err := data.Window(planes, sample, top, left, false); err != nil {
		return nil, err
	}
	plane := map[string][3]int{"rgb": {0, 1, 2}, "bgr": {2, 1, 0}, "grey": {0, 0, 0}}[channels]
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range height * width {
		for k := range 3 {
			out.Pix[4*i+k] = planes[plane[k]*height*width+i]
		}
		out.Pix[4*i+3] = 255
	}
	return out, nil
}
