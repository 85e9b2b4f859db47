package figure

import (
	"bytes"
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

func init() { plot.DefaultFont = font.Font{Typeface: "Liberation", Variant: "Sans"} }

// Figure is a chart that can be written in several formats.
type Figure struct {
	plot          *plot.Plot
	width, height vg.Length
}

// Series is one line or set of points. Low and High, where there are any, are of
// a band around Y (of a line) or of error bars (of points).
type Series struct {
	Name      string
	X, Y      []float64
	Low, High []float64
}

// Axes says what a chart is of.
type Axes struct{ Title, X, Y string }

var palette = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255},
}

var dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(3)}, {vg.Points(2), vg.Points(2)}}

func colorOf(i int) color.RGBA { return palette[i%len(palette)] }

func dashesOf(i int) []vg.Length { return dashes[i%len(dashes)] }

func newFigure(a Axes) *Figure {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = a.Title, a.X, a.Y
	// On the left a legend's text may be wider than measured: viewers differ in fonts.
	p.Legend.Top, p.Legend.Left, p.Legend.ThumbnailWidth, p.Legend.Padding = true, true, vg.Points(16), vg.Points(2)
	p.Legend.XOffs = vg.Points(6)
	p.Add(plotter.NewGrid())
	return &Figure{plot: p, width: 16 * vg.Centimeter, height: 9 * vg.Centimeter}
}

// SVG writes the figure as an SVG document.
func (f *Figure) SVG() ([]byte, error) {
	c := vgsvg.New(f.width, f.height)
	f.draw(c)
	data, err := written(c)
	// Fonts of the same widths, where a viewer lacks the one.
	return bytes.ReplaceAll(data, []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arimo,Arial,Helvetica,sans-serif")), err
}

// PNG writes the figure as a picture.
func (f *Figure) PNG() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseBackgroundColor(color.White))
	f.draw(c)
	return written(vgimg.PngCanvas{Canvas: c})
}

// draw leaves a margin, as the last label of an axis reaches beyond it.
func (f *Figure) draw(c vg.CanvasSizer) {
	const margin = 4 * vg.Millimeter
	f.plot.Draw(draw.Crop(draw.New(c), margin/2, -2*margin, margin/2, -margin))
}

func written(c io.WriterTo) ([]byte, error) {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("draw a figure: %w", err)
	}
	return b.Bytes(), nil
}

// room makes the vertical axis a tenth longer at the top, for the legend, and at
// the bottom.
func (f *Figure) room(bottom, top float64) {
	span := f.plot.Y.Max - f.plot.Y.Min
	f.plot.Y.Min -= bottom * span
	f.plot.Y.Max += top * span
}

// points pairs coordinates and leaves out what is not finite.
func points(x, y []float64) plotter.XYs {
	var out plotter.XYs
	for i := range x {
		if !math.IsNaN(y[i]) && !math.IsInf(y[i], 0) {
			out = append(out, plotter.XY{X: x[i], Y: y[i]})
		}
	}
	return out
}

// Lines draws a line for each series, with its band.
func Lines(a Axes, series ...Series) (*Figure, error) {
	f := newFigure(a)
	for i, s := range series {
		xys := points(s.X, s.Y)
		if len(xys) == 0 {
			continue
		}
		if s.Low != nil {
			if err := f.band(s, colorOf(i)); err != nil {
				return nil, err
			}
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", s.Name, err)
		}
		line.Color, line.Width, line.Dashes = colorOf(i), vg.Points(1.6), dashesOf(i)
		f.plot.Add(line)
		if s.Name != "" {
			f.plot.Legend.Add(s.Name, line)
		}
	}
	f.room(0.02, 0.2)
	return f, nil
}

// band fills the area between Low and High.
func (f *Figure) band(s Series, c color.RGBA) error {
	low, high := points(s.X, s.Low), points(s.X, s.High)
	for i := len(high) - 1; i >= 0; i-- {
		low = append(low, high[i])
	}
	if len(low) == 0 {
		return nil
	}
	area, err := plotter.NewPolygon(low)
	if err != nil {
		return fmt.Errorf("draw the band of %s: %w", s.Name, err)
	}
	area.Color = color.NRGBA{c.R, c.G, c.B, 50}
	area.LineStyle.Width = 0
	f.plot.Add(area)
	return nil
}

// ROC draws curves from (0, 0) to (1, 1), with the diagonal of guessing.
func ROC(a Axes, series ...Series) (*Figure, error) {
	return Unit(a, append(series, Series{X: []float64{0, 1}, Y: []float64{0, 1}})...)
}

// Unit draws lines in the square from (0, 0) to (1, 1).
func Unit(a Axes, series ...Series) (*Figure, error) {
	f, err := Lines(a, series...)
	if err != nil {
		return nil, err
	}
	f.plot.X.Min, f.plot.X.Max, f.plot.Y.Min, f.plot.Y.Max = 0, 1, 0, 1
	f.plot.Legend.Top, f.plot.Legend.XOffs, f.plot.Legend.YOffs = false, 4*vg.Centimeter, vg.Points(6)
	f.width, f.height = 11*vg.Centimeter, 10*vg.Centimeter
	return f, nil
}

// Histogram draws counts in equal bins from 0 to 1, the series side by side.
func Histogram(a Axes, names []string, counts [][]int) (*Figure, error) {
	f := newFigure(a)
	for i, c := range counts {
		n, k := float64(len(c)), float64(len(counts))
		var bars plotter.XYs
		for b, count := range c { // the outline of this series' bars
			left := (float64(b) + float64(i)/k*0.9 + 0.05) / n
			right := left + 0.9/k/n
			bars = append(bars, plotter.XY{X: left}, plotter.XY{X: left, Y: float64(count)}, plotter.XY{X: right, Y: float64(count)}, plotter.XY{X: right})
		}
		area, err := plotter.NewPolygon(bars)
		if err != nil {
			return nil, fmt.Errorf("draw the histogram of %s: %w", names[i], err)
		}
		area.Color = colorOf(i)
		area.LineStyle.Width = 0
		f.plot.Add(area)
		f.plot.Legend.Add(names[i], area)
	}
	f.plot.X.Min, f.plot.X.Max, f.plot.Y.Min = 0, 1, 0
	f.room(0, 0.15)
	return f, nil
}

// Categories draws points with error bars for named categories, the series side
// by side, and a dashed line where a guess would be (NaN: none).
func Categories(a Axes, names []string, guess float64, series ...Series) (*Figure, error) {
	f := newFigure(a)
	for i, s := range series {
		shift := (float64(i) - float64(len(series)-1)/2) * 0.16
		data := bars{XYs: make(plotter.XYs, len(s.Y))}
		for k, y := range s.Y {
			data.XYs[k] = plotter.XY{X: float64(k) + shift, Y: y}
			data.YErrors = append(data.YErrors, struct{ Low, High float64 }{y - s.Low[k], s.High[k] - y})
		}
		scatter, err := plotter.NewScatter(data)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", s.Name, err)
		}
		errors, err := plotter.NewYErrorBars(data)
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", s.Name, err)
		}
		scatter.Color, scatter.Radius, scatter.Shape = colorOf(i), vg.Points(3.5), []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.TriangleGlyph{}}[i%3]
		errors.Color = colorOf(i)
		f.plot.Add(errors, scatter)
		if s.Name != "" {
			f.plot.Legend.Add(s.Name, scatter)
		}
	}
	if !math.IsNaN(guess) {
		line, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: guess}, {X: float64(len(names)) - 0.5, Y: guess}})
		if err != nil {
			return nil, fmt.Errorf("draw the baseline: %w", err)
		}
		line.Dashes, line.Color = dashesOf(1), color.Gray{90}
		f.plot.Add(line)
		f.plot.Legend.Add("most frequent class", line)
	}
	f.plot.NominalX(names...)
	f.plot.X.Tick.Label.Rotation = 0.6
	f.plot.X.Tick.Label.XAlign, f.plot.X.Tick.Label.YAlign = draw.XRight, draw.YCenter
	f.plot.X.Padding = vg.Points(8)
	f.room(0.05, 0.25)
	f.plot.X.Min, f.plot.X.Max = -0.5, float64(len(names))-0.5
	f.height = 10 * vg.Centimeter
	return f, nil
}

// bars are points with error bars.
type bars struct {
	plotter.XYs
	plotter.YErrors
}

// Scatter draws points in the plane, each group in a colour and a shape.
func Scatter(a Axes, groups ...Series) (*Figure, error) {
	f := newFigure(a)
	for i, g := range groups {
		scatter, err := plotter.NewScatter(points(g.X, g.Y))
		if err != nil {
			return nil, fmt.Errorf("draw %s: %w", g.Name, err)
		}
		scatter.Color, scatter.Radius = colorOf(i), vg.Points(2.5)
		scatter.Shape = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.SquareGlyph{}}[i%3]
		f.plot.Add(scatter)
		f.plot.Legend.Add(g.Name, scatter)
	}
	f.room(0.02, 0.15)
	f.width, f.height = 13*vg.Centimeter, 11*vg.Centimeter
	return f, nil
}
