package dataset

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// rgbAt prepares a picture without resizing it and returns one pixel.
func rgbAt(t *testing.T, data []byte, h, w, y, x int) [3]int {
	t.Helper()
	planes, err := Prepare(data, Geometry{Resize: []int{h, w}, Channels: "rgb"})
	if err != nil {
		t.Fatal(err)
	}
	at, n := y*w+x, h*w
	return [3]int{int(planes[at]), int(planes[n+at]), int(planes[2*n+at])}
}

func near(a, b [3]int, tolerance int) bool {
	for i := range a {
		if max(a[i]-b[i], b[i]-a[i]) > tolerance {
			return false
		}
	}
	return true
}

// drawn fills any kind of image with one colour.
func drawn(img interface {
	image.Image
	Set(x, y int, c color.Color)
}, c color.Color) image.Image {
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			img.Set(x, y, c)
		}
	}
	return img
}

// TestFormats: every format and pixel layout gives the colours that were put in.
func TestFormats(t *testing.T) {
	orange := color.NRGBA{240, 120, 20, 255}
	half := color.NRGBA{200, 0, 100, 128}
	r := image.Rect(0, 0, 16, 8)
	encodeJPEG := func(img image.Image) []byte {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	encodeGIF := func(img *image.Paletted) []byte {
		var b bytes.Buffer
		if err := gif.Encode(&b, img, nil); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	palette := color.Palette{color.Black, orange, color.Transparent}
	for _, c := range []struct {
		name, format string
		data         []byte
		want         [3]int
		tolerance    int
	}{
		{"JPEG YCbCr", "jpeg", encodeJPEG(drawn(image.NewNRGBA(r), orange)), [3]int{240, 120, 20}, 3},
		{"JPEG grey", "jpeg", encodeJPEG(drawn(image.NewGray(r), color.Gray{90})), [3]int{90, 90, 90}, 2},
		{"JPEG CMYK of Adobe", "jpeg", cmykJPEG(0, 255, 255, 0), [3]int{255, 0, 0}, 0},
		{"JPEG CMYK, half black", "jpeg", cmykJPEG(0, 0, 0, 128), [3]int{127, 127, 127}, 1},
		{"PNG", "png", pngOf(t, drawn(image.NewNRGBA(r), orange)), [3]int{240, 120, 20}, 0},
		{"PNG grey", "png", pngOf(t, drawn(image.NewGray(r), color.Gray{90})), [3]int{90, 90, 90}, 0},
		{"PNG grey of 16 bits", "png", pngOf(t, drawn(image.NewGray16(r), color.Gray16{0x5a80})), [3]int{90, 90, 90}, 0},
		{"PNG of 16 bits", "png", pngOf(t, drawn(image.NewNRGBA64(r), color.NRGBA64{0xf000, 0x7800, 0x1400, 0xffff})), [3]int{240, 120, 20}, 0},
		{"PNG palette", "png", pngOf(t, drawn(image.NewPaletted(r, palette[:2]), orange)), [3]int{240, 120, 20}, 0},
		{"PNG, half transparent, over white", "png", pngOf(t, drawn(image.NewNRGBA(r), half)), [3]int{227, 127, 177}, 1},
		{"PNG, transparent, is white", "png", pngOf(t, drawn(image.NewNRGBA(r), color.NRGBA{9, 9, 9, 0})), [3]int{255, 255, 255}, 0},
		{"GIF", "gif", encodeGIF(drawn(image.NewPaletted(r, palette), orange).(*image.Paletted)), [3]int{240, 120, 20}, 0},
		{"GIF, transparent", "gif", encodeGIF(drawn(image.NewPaletted(r, palette), color.Transparent).(*image.Paletted)), [3]int{255, 255, 255}, 0},
		{"BMP", "bmp", bmpOf(t, drawn(image.NewNRGBA(r), orange)), [3]int{240, 120, 20}, 0},
		{"WebP, lossy", "webp", lossyWebP(t), [3]int{130, 130, 130}, 0},
		{"WebP, lossless", "webp", losslessWebP(), [3]int{240, 120, 20}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			img, format, err := decode(c.data)
			if err != nil || format != c.format {
				t.Fatalf("format %s, error %v", format, err)
			}
			b := img.Bounds()
			if got := rgbAt(t, c.data, b.Dy(), b.Dx(), b.Dy()/2, b.Dx()/2); !near(got, c.want, c.tolerance) {
				t.Errorf("colour %v, want %v", got, c.want)
			}
		})
	}
}

// lossyWebP is one pixel that is all prediction: 128 in each plane, where luma
// goes from 16 to 235, so that it is a grey of (128-16)·255/219.
func lossyWebP(t testing.TB) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// losslessWebP is an orange picture of 3×2: five prefix codes of one symbol each
// (WebP Lossless Bitstream Specification, 6.2.1), so that pixels take no bits.
func losslessWebP() []byte {
	var bits bitWriter
	bits.low(2, 14)                                      // width - 1
	bits.low(1, 14)                                      // height - 1
	bits.low(0, 1)                                       // no alpha
	bits.low(0, 3)                                       // version
	bits.low(0, 1)                                       // no transform
	bits.low(0, 1)                                       // no colour cache
	bits.low(0, 1)                                       // one group of prefix codes
	for _, symbol := range []int{120, 240, 20, 255, 0} { // green, red, blue, alpha, distance
		bits.low(1, 1)      // simple code
		bits.low(0, 1)      // of one symbol
		bits.low(1, 1)      // that has 8 bits
		bits.low(symbol, 8) //
	}
	body := append([]byte{0x2f}, bits.bytes()...)
	if len(body)%2 == 1 {
		body = append(body, 0)
	}
	chunk := append([]byte("WEBPVP8L"), binary.LittleEndian.AppendUint32(nil, uint32(len(body)))...)
	chunk = append(chunk, body...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(chunk))), chunk...)
}

// bitWriter collects bits, each of 0 or 1.
type bitWriter struct{ bits []byte }

// low appends n bits, the lowest first.
func (w *bitWriter) low(x, n int) {
	for i := range n {
		w.bits = append(w.bits, byte(x>>i&1))
	}
}

// high appends n bits, the highest first.
func (w *bitWriter) high(x, n int) {
	for i := n - 1; i >= 0; i-- {
		w.bits = append(w.bits, byte(x>>i&1))
	}
}

// bytes packs the bits, the first into the lowest place.
func (w *bitWriter) bytes() []byte {
	out := make([]byte, (len(w.bits)+7)/8)
	for i, b := range w.bits {
		out[i/8] |= b << (i % 8)
	}
	return out
}

// bytesHigh packs the bits, the first into the highest place, filled up with
// ones, and with a zero behind each 0xff as JPEG wants it.
func (w *bitWriter) bytesHigh() []byte {
	for len(w.bits)%8 != 0 {
		w.bits = append(w.bits, 1)
	}
	var out []byte
	for i := 0; i < len(w.bits); i += 8 {
		var b byte
		for _, bit := range w.bits[i : i+8] {
			b = b<<1 | bit
		}
		if out = append(out, b); b == 0xff {
			out = append(out, 0)
		}
	}
	return out
}

// cmykJPEG is a baseline JPEG of 8×8 equal pixels in four components, which
// Adobe's programs store inverted. With a quantiser of 8 the DC coefficient is
// the pixel's distance from 128 (ITU-T T.81, A.3).
func cmykJPEG(cmyk ...int) []byte {
	segment := func(marker byte, body ...byte) []byte {
		return append([]byte{0xff, marker, 0, byte(len(body) + 2)}, body...)
	}
	codes := func(class byte, counts [16]byte, symbols ...byte) []byte {
		return segment(0xc4, append(append([]byte{class << 4}, counts[:]...), symbols...)...)
	}
	out := []byte{0xff, 0xd8}
	out = append(out, segment(0xee, append([]byte("Adobe"), 0, 100, 0, 0, 0, 0, 0)...)...)
	out = append(out, segment(0xdb, append([]byte{0}, bytes.Repeat([]byte{8}, 64)...)...)...)
	out = append(out, segment(0xc0, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0)...)
	out = append(out, codes(0, [16]byte{3: 9}, 0, 1, 2, 3, 4, 5, 6, 7, 8)...) // category c has the 4-bit code c
	out = append(out, codes(1, [16]byte{0: 1}, 0)...)                         // end of block: 0
	out = append(out, segment(0xda, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0)...)
	var bits bitWriter
	for _, ink := range cmyk {
		dc, category := 255-ink-128, 0
		for max(dc, -dc)>>category != 0 {
			category++
		}
		bits.high(category, 4)
		if dc < 0 {
			dc += 1<<category - 1
		}
		bits.high(dc, category)
		bits.high(0, 1)
	}
	return append(append(out, bits.bytesHigh()...), 0xff, 0xd9)
}

// withEXIF inserts an APP1 segment with an orientation tag behind a JPEG's
// start.
func withEXIF(jpeg []byte, order binary.AppendByteOrder, orientation uint16) []byte {
	body := append([]byte("Exif\x00\x00"), exifOf(order, orientation)...)
	out := append(slices.Clone(jpeg[:2]), 0xff, 0xe1)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	return append(append(out, body...), jpeg[2:]...)
}

// exifOf is the body of EXIF with one tag: 0x0112, a SHORT.
func exifOf(order binary.AppendByteOrder, orientation uint16) []byte {
	out := []byte("II")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		out = []byte("MM")
	}
	out = order.AppendUint16(out, 42)
	out = order.AppendUint32(out, 8)
	out = order.AppendUint16(out, 1) // entries
	out = order.AppendUint16(out, 0x0112)
	out = order.AppendUint16(out, 3)
	out = order.AppendUint32(out, 1)
	out = order.AppendUint16(out, orientation)
	out = order.AppendUint16(out, 0)
	return order.AppendUint32(out, 0)
}

// withPNGEXIF inserts an eXIf chunk behind a PNG's header.
func withPNGEXIF(png []byte, orientation uint16) []byte {
	body := append([]byte("eXIf"), exifOf(binary.BigEndian, orientation)...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)-4))
	chunk = binary.BigEndian.AppendUint32(append(chunk, body...), crc32.ChecksumIEEE(body))
	return slices.Concat(png[:33], chunk, png[33:])
}

// quarters is 32×16 pixels: red and green above blue and white.
func quarters() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 32, 16))
	for y := range 16 {
		for x := range 32 {
			img.Set(x, y, [4]color.Color{color.NRGBA{255, 0, 0, 255}, color.NRGBA{0, 255, 0, 255}, color.NRGBA{0, 0, 255, 255}, color.White}[x/16+2*(y/8)])
		}
	}
	return img
}

// TestOrientation: whatever way a camera was held, the visual top is above. The
// wanted corners (top left, top right, bottom left, bottom right) follow from
// the tag's definition: where the stored row 0 and column 0 are to be shown.
func TestOrientation(t *testing.T) {
	letters := map[byte][3]int{'R': {255, 0, 0}, 'G': {0, 255, 0}, 'B': {0, 0, 255}, 'W': {255, 255, 255}}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, quarters(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		tag     uint16
		corners string
	}{
		{1, "RGBW"}, {2, "GRWB"}, {3, "WBGR"}, {4, "BWRG"}, {5, "RBGW"}, {6, "BRWG"}, {7, "WGBR"}, {8, "GWRB"},
		{0, "RGBW"}, {9, "RGBW"}, // not defined: as it is
	} {
		h, w := 16, 32
		if c.tag >= 5 && c.tag <= 8 {
			h, w = w, h
		}
		for name, data := range map[string][]byte{
			"JPEG, little endian": withEXIF(b.Bytes(), binary.LittleEndian, c.tag),
			"JPEG, big endian":    withEXIF(b.Bytes(), binary.BigEndian, c.tag),
			"PNG":                 withPNGEXIF(pngOf(t, quarters()), c.tag),
		} {
			for i, at := range [][2]int{{2, 2}, {2, w - 3}, {h - 3, 2}, {h - 3, w - 3}} {
				if got, want := rgbAt(t, data, h, w, at[0], at[1]), letters[c.corners[i]]; !near(got, want, 12) {
					t.Errorf("%s, orientation %d: corner %d is %v, want %c", name, c.tag, i, got, c.corners[i])
				}
			}
		}
	}
}

// TestDamagedEXIF: metadata that cannot be read do not spoil a picture.
func TestDamagedEXIF(t *testing.T) {
	whole := withEXIF(jpegOf(t, 16, 16), binary.LittleEndian, 6)
	for at := 6; at < 38; at++ { // behind the segment's own length
		data := bytes.Clone(whole)
		data[at] = 0xff
		if _, err := Prepare(data, Geometry{Resize: []int{4, 4}, Channels: "rgb"}); err != nil {
			t.Errorf("byte %d: %v", at, err)
		}
	}
}

// TestBombs: a few bytes that claim a huge picture are refused before memory is
// taken for it.
func TestBombs(t *testing.T) {
	huge := pngOf(t, plain(1, 1, color.White))
	binary.BigEndian.PutUint32(huge[16:], 60000)
	binary.BigEndian.PutUint32(huge[20:], 60000)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	animation := append([]byte("GIF89a"), 0xff, 0xff, 0xff, 0xff, 0, 0, 0)
	scan := bytes.Replace(jpegOf(t, 8, 8), []byte{0xff, 0xc0, 0, 17, 8, 0, 8, 0, 8}, []byte{0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff}, 1)
	for name, data := range map[string][]byte{"PNG": huge, "GIF": animation, "JPEG": scan} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := decode(data)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), "at most 200 million") {
			t.Errorf("%s: %v", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%s: %d bytes were allocated", name, used)
		}
	}
}
