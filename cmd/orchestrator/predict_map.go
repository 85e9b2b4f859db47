package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orchestrator/trainer"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/scoremap"
)

// mapOptions are the flags of `predict` that are about maps.
type mapOptions struct {
	folder string
	class  string
	size   int
	colors string
}

var palettes = map[string]scoremap.Palette{"blue-orange": scoremap.BlueOrange, "green-red": scoremap.RedGreen}

func (o mapOptions) check() error {
	if _, ok := palettes[o.colors]; !ok {
		return usagef("blue-orange or green-red", "--map-colors %q is not known", o.colors)
	}
	if o.size < 0 || o.size > 4096 {
		return usagef("as --map-size 451", "--map-size %d is no size of a picture", o.size)
	}
	return nil
}

// drawMaps writes a picture for each picture: where the networks see a class.
func (a *app) drawMaps(ctx context.Context, o mapOptions, models [][]byte, rt *ort.Runtime, pictures []string, answers []picturePrediction) error {
	dir, err := os.MkdirTemp("", "orchestrator-maps-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()     // of the system's temporary files
	all := make([][]scoremap.Map, len(pictures)) // of each network
	var last *mapped
	for i, data := range models {
		if last, err = openMapped(data, o.size, pictures); err != nil {
			return err
		}
		maps, err := scoremap.Compute(ctx, last.model, len(last.classes), len(pictures), last.data, trainer.RuntimeOf(rt), filepath.Join(dir, fmt.Sprint(i)))
		if err != nil {
			return fmt.Errorf("--map: %w", err)
		}
		for k, m := range maps {
			all[k] = append(all[k], m)
		}
	}
	if err := os.MkdirAll(o.folder, 0o755); err != nil {
		return fmt.Errorf("--map: %w", err)
	}
	for k, maps := range all {
		if err := o.draw(last, k, maps, answers[k]); err != nil {
			return fmt.Errorf("--map %s: %w", pictures[k], err)
		}
	}
	return nil
}

// mapped is a network and the pictures in the size that it is applied to.
type mapped struct {
	model    *onnx.Graph
	classes  []string
	geometry dataset.Geometry
	data     *dataset.Pictures
}

func openMapped(encoded []byte, size int, pictures []string) (*mapped, error) {
	g, err := onnximport.Read(encoded)
	if err != nil {
		return nil, err
	}
	m := &mapped{model: g}
	if m.classes, m.geometry, err = modelMetadata(g); err != nil {
		return nil, err
	}
	side := m.geometry.Crop
	if side == 0 {
		side = slices.Min(m.geometry.Resize)
	}
	if size == 0 {
		size = 2 * side
	}
	if size < side {
		return nil, usagef(fmt.Sprintf("--map-size %d", 2*side), "--map-size %d is less than the %d pixels that the network sees", size, side)
	}
	m.geometry.Resize, m.geometry.Crop = []int{size, size}, 0
	m.data, err = dataset.Load(pictures, readPicture, m.geometry)
	return m, err
}

// draw writes one picture's map.
func (o mapOptions) draw(m *mapped, picture int, maps []scoremap.Map, answer picturePrediction) error {
	average, err := scoremap.Average(maps)
	if err != nil {
		return err
	}
	shown := o.class
	switch {
	case shown == "" && len(m.classes) == 2:
		shown = m.classes[1]
	case shown == "":
		shown = answer.Class
	}
	class := slices.Index(m.classes, shown)
	if class < 0 {
		return usagef("its classes: "+strings.Join(m.classes, ", "), "the network has no class %q", shown)
	}
	low := "other classes"
	if len(m.classes) == 2 {
		low = m.classes[1-class]
	}
	under, err := scoremap.Picture(m.data, picture, m.geometry.Channels)
	if err != nil {
		return err
	}
	drawn := scoremap.Draw(under, average, class, palettes[o.colors], scoremap.Legend{
		Low: low, High: shown, Answer: fmt.Sprintf("whole picture: %s %.2f", answer.Class, answer.Probability),
	})
	file, err := createNew(o.folder, filepath.Base(answer.File))
	if err != nil {
		return err
	}
	if err := errors.Join(png.Encode(file, drawn), file.Close()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	return nil
}

// createNew creates a picture named after another one, with a number where there
// is one of that name already.
func createNew(folder, name string) (*os.File, error) {
	base := strings.TrimSuffix(name, filepath.Ext(name))
	for i := 1; ; i++ {
		path := filepath.Join(folder, base+".map.png")
		if i > 1 {
			path = filepath.Join(folder, fmt.Sprintf("%s.map-%d.png", base, i))
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if !errors.Is(err, fs.ErrExist) {
			return file, err
		}
	}
}
