package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// TestPythonOfThePage runs the Python of docs/howto/use-a-model-elsewhere.md on a
// picture that is neither square, nor upright, nor opaque: it answers what predict
// does.
func TestPythonOfThePage(t *testing.T) {
	testenv.Daily(t)
	libraries := filepath.Join(testenv.Root(t), "build", "tools", "python")
	python := func(dir, code string) ([]byte, error) {
		cmd := exec.Command("python3", "-c", code)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+libraries)
		return cmd.CombinedOutput()
	}
	if out, err := python(t.TempDir(), "import numpy, onnxruntime, PIL"); err != nil {
		t.Skipf("no Python with onnxruntime and pillow (make test-tools): %s", out)
	}
	code := pythonBlock(t, "docs/howto/use-a-model-elsewhere.md")
	w := newWorkspace(t)
	w.run("dataset", "example", "pictures", "--pictures", "24", "--size", "40")
	for i, preprocessing := range []string{
		"{resize: 40, crop: 32, channels: bgr, mean: [104, 117, 123], std: [60, 58, 57]}",
		"{resize: [30, 44], mean: [128, 128, 128], scale: 0.0078125}",
	} {
		file := w.write("sweep.yaml", fmt.Sprintf(`
name: page%d
dataset: {path: pictures}
model: {base: "builtin:smallnet"}
preprocessing: %s
training: {learning_rate: 0.01, epochs: 1, batch_size: 8, threads: 1}
cross_validation: {folds: 2}
`, i, preprocessing))
		w.run("run", file)
		w.run("model", "export", "latest", "--file", "model.onnx", "--force")
		w.write("photo.png", sidewaysPicture(t))
		out, err := python(w.dir, code)
		if err != nil {
			t.Fatalf("%s: %v\n%s", preprocessing, err, out)
		}
		var class string
		var probability float64
		if _, err := fmt.Sscan(string(out), &class, &probability); err != nil {
			t.Fatalf("%s: it prints %q: %v", preprocessing, out, err)
		}
		var want []picturePrediction
		if err := json.Unmarshal([]byte(w.run("predict", "--model", "model.onnx", "photo.png", "--output", "json")), &want); err != nil {
			t.Fatal(err)
		}
		if class != want[0].Class || !(math.Abs(probability-want[0].Probability) < 1e-4) {
			t.Errorf("%s: Python says %s with %v, predict %s with %v", preprocessing, class, probability, want[0].Class, want[0].Probability)
		}
	}
}

// pythonBlock is the only block of Python on a page.
func pythonBlock(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testenv.Root(t), filepath.FromSlash(page)))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range blocksOf(string(text)) {
		if b.kind == "python" {
			return b.text
		}
	}
	t.Fatalf("%s has no Python", page)
	return ""
}

// sidewaysPicture is a PNG of 70×50 pixels with transparent ones, whose EXIF
// orientation says that it lies on its side.
func sidewaysPicture(t *testing.T) string {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 70, 50))
	for y := range 50 {
		for x := range 70 {
			c := color.NRGBA{R: uint8(3 * x), G: uint8(5 * y), B: uint8(2*x + y), A: 255}
			if x > 40 && y > 30 {
				c.A = 0
			}
			img.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	// The tag 0x0112, a short: 6, turn clockwise.
	exif := append([]byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"), 0, 0, 0, 0)
	chunk := append([]byte("eXIf"), exif...)
	whole := binary.BigEndian.AppendUint32(nil, uint32(len(exif)))
	whole = binary.BigEndian.AppendUint32(append(whole, chunk...), crc32.ChecksumIEEE(chunk))
	const header = 8 + 25 // the signature and the first chunk
	return strings.Join([]string{b.String()[:header], string(whole), b.String()[header:]}, "")
}
