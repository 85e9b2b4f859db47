package dataset

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
)

// claimed is how many pixels a picture's header announces.
func claimed(data []byte) int {
	head, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return 0
	}
	return head.Width * head.Height
}

// BenchmarkPrepare decodes and resizes a photograph's size to a network's.
func BenchmarkPrepare(b *testing.B) {
	img := image.NewNRGBA(image.Rect(0, 0, 500, 375))
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i>>7) | 1
	}
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Prepare(file.Bytes(), Geometry{Resize: []int{256, 256}, Channels: "bgr"}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
}

// BenchmarkWindow copies the crop that a training step asks for.
func BenchmarkWindow(b *testing.B) {
	path, digest := packed(b, mustScan(b, Options{Path: write(b, map[string][]byte{
		"a/1.bmp": bmpOf(b, plain(256, 256, color.White)), "b/1.bmp": bmpOf(b, plain(256, 256, color.Black)),
	})}))
	c := &cache{openPack(b, path), path, digest, b.TempDir()}
	p := c.open(b, Geometry{Resize: []int{256, 256}, Crop: 224, Channels: "bgr"})
	dst := make([]uint8, 3*224*224)
	for _, mirror := range []bool{false, true} {
		b.Run(map[bool]string{false: "straight", true: "mirrored"}[mirror], func(b *testing.B) {
			for b.Loop() {
				if err := p.Window(dst, b.N%2, 16, 16, mirror); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pictures/s")
		})
	}
}
