package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// tiffOf is an uncompressed TIFF of RGB pixels, with an orientation.
func tiffOf(img *image.NRGBA, compression, orientation uint16) []byte {
	le := binary.LittleEndian
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := le.AppendUint32([]byte("II*\x00"), 8)
	tags := [][3]uint32{ // tag, type, value
		{0x100, 4, uint32(w)}, {0x101, 4, uint32(h)}, {0x102, 3, 8}, {0x103, 3, uint32(compression)}, {0x106, 3, 2},
		{0x111, 4, 200}, {0x112, 3, uint32(orientation)}, {0x115, 3, 3}, {0x116, 4, uint32(h)}, {0x117, 4, uint32(3 * w * h)},
	}
	out = le.AppendUint16(out, uint16(len(tags)))
	for _, t := range tags {
		count, value := uint32(1), t[2]
		if t[0] == 0x102 { // of each of three channels
			count, value = 3, 180
		}
		out = le.AppendUint16(out, uint16(t[0]))
		out = le.AppendUint16(out, uint16(t[1]))
		out = le.AppendUint32(le.AppendUint32(out, count), value)
	}
	out = append(out, make([]byte, 200-len(out))...)
	copy(out[180:], []byte{8, 0, 8, 0, 8, 0})
	for i := 0; i < len(img.Pix); i += 4 {
		out = append(out, img.Pix[i:i+3]...)
	}
	return out
}

// bmp32 is a BMP of one row of 32 bits per pixel with a header of that length, 108 or
// 124; bit fields where masks is set.
func bmp32(header int, masks bool, bgra ...byte) []byte {
	le := binary.LittleEndian
	out := make([]byte, 14+header)
	copy(out, "BM")
	le.PutUint32(out[2:], uint32(len(out)+len(bgra)))
	le.PutUint32(out[10:], uint32(len(out)))
	le.PutUint32(out[14:], uint32(header))
	le.PutUint32(out[18:], uint32(len(bgra)/4))
	le.PutUint32(out[22:], 1)
	le.PutUint16(out[26:], 1)
	le.PutUint16(out[28:], 32)
	if masks {
		le.PutUint32(out[30:], 3)
		for i, mask := range []uint32{0xff0000, 0xff00, 0xff, 0xff000000} {
			le.PutUint32(out[54+4*i:], mask)
		}
	}
	return append(out, bgra...)
}

func TestEmptyAlphaOfBMPIsNoAlpha(t *testing.T) {
	for _, header := range []int{108, 124} {
		for name, c := range map[string]struct {
			data []byte
			want [3]int
		}{
			"reserved":             {bmp32(header, false, 20, 120, 240, 0, 20, 120, 240, 9), [3]int{240, 120, 20}},
			"bit fields, no alpha": {bmp32(header, true, 20, 120, 240, 0, 20, 120, 240, 0), [3]int{240, 120, 20}},
			"bit fields, alpha":    {bmp32(header, true, 20, 120, 240, 0, 20, 120, 240, 255), [3]int{255, 255, 255}},
		} {
			if got := rgbAt(t, c.data, 1, 2, 0, 0); got != c.want {
				t.Errorf("header of %d bytes, %s: %v, want %v", header, name, got, c.want)
			}
		}
	}
}

func TestFrameOfGIFLiesOnItsScreen(t *testing.T) {
	palette := color.Palette{color.Black, color.NRGBA{240, 120, 20, 255}}
	frame := image.NewPaletted(image.Rect(4, 2, 8, 4), palette)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{ColorModel: palette, Width: 8, Height: 4}}); err != nil {
		t.Fatal(err)
	}
	img, _, err := decode(b.Bytes())
	if err != nil || img.Bounds() != image.Rect(0, 0, 8, 4) {
		t.Fatalf("bounds %v, error %v", img.Bounds(), err)
	}
	if in, out := rgbAt(t, b.Bytes(), 4, 8, 3, 5), rgbAt(t, b.Bytes(), 4, 8, 0, 0); in != [3]int{240, 120, 20} || out != [3]int{255, 255, 255} {
		t.Errorf("inside %v, outside %v", in, out)
	}
}

// tagged is an EXIF of entries of tag, type and value, each of one number.
func tagged(entries ...[3]uint32) []byte {
	le := binary.LittleEndian
	out := le.AppendUint32([]byte("II*\x00"), 8)
	out = le.AppendUint16(out, uint16(len(entries)))
	for _, e := range entries {
		out = le.AppendUint16(le.AppendUint16(out, uint16(e[0])), uint16(e[1]))
		out = le.AppendUint32(le.AppendUint32(out, 1), e[2])
	}
	return le.AppendUint32(out, 0)
}

func withSegment(jpeg, body []byte) []byte {
	out := binary.BigEndian.AppendUint16(append(slices.Clone(jpeg[:2]), 0xff, 0xe1), uint16(len(body)+2))
	return append(append(out, body...), jpeg[2:]...)
}

func withChunk(png []byte, name string, body []byte) []byte {
	named := append([]byte(name), body...)
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	chunk = binary.BigEndian.AppendUint32(append(chunk, named...), crc32.ChecksumIEEE(named))
	return slices.Concat(png[:33], chunk, png[33:])
}

// TestFormsOfOrientation: Pillow's ImageOps.exif_transpose turns all of these.
func TestFormsOfOrientation(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, quarters(), &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	jpg, png := b.Bytes(), pngOf(t, quarters())
	exif := tagged([3]uint32{0x0112, 3, 6})
	xmp := []byte(`<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>`)
	raw := fmt.Appendf(nil, "\nexif\n%8d\n%s\n", len(exif)+6, hex.EncodeToString(append([]byte(exifHead), exif...)))
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	_, _ = z.Write(raw)
	_ = z.Close()
	for name, data := range map[string][]byte{
		"SHORT":                      withSegment(jpg, append([]byte(exifHead), exif...)),
		"LONG":                       withSegment(jpg, append([]byte(exifHead), tagged([3]uint32{0x0112, 4, 6})...)),
		"BYTE":                       withSegment(jpg, append([]byte(exifHead), tagged([3]uint32{0x0112, 1, 6})...)),
		"behind a tag of no type":    withSegment(jpg, append([]byte(exifHead), tagged([3]uint32{0x010f, 99, 0}, [3]uint32{0x0112, 3, 6})...)),
		"XMP of JPEG":                withSegment(jpg, append([]byte(xmpHead), xmp...)),
		"XMP of PNG":                 withChunk(png, "iTXt", append([]byte("XML:com.adobe.xmp\x00\x00\x00\x00\x00"), xmp...)),
		"XMP element":                withSegment(jpg, append([]byte(xmpHead), "<tiff:Orientation>6</tiff:Orientation>"...)),
		"text of PNG":                withChunk(png, "tEXt", append([]byte("Raw profile type exif\x00"), raw...)),
		"compressed text of PNG":     withChunk(png, "zTXt", append([]byte("Raw profile type exif\x00\x00"), packed.Bytes()...)),
		"TIFF":                       tiffOf(quarters(), 1, 6),
		"EXIF before another in XMP": withSegment(withSegment(jpg, append([]byte(xmpHead), `tiff:Orientation="3"`...)), append([]byte(exifHead), exif...)),
	} {
		for i, at := range [][2]int{{2, 2}, {2, 13}, {29, 2}, {29, 13}} {
			want := [][3]int{{0, 0, 255}, {255, 0, 0}, {255, 255, 255}, {0, 255, 0}}[i]
			if got := rgbAt(t, data, 32, 16, at[0], at[1]); !near(got, want, 12) {
				t.Errorf("%s: corner %d is %v, want %v", name, i, got, want)
			}
		}
	}
}

func TestUnsupportedFormsAreNotCalledDamaged(t *testing.T) {
	jpg := jpegOf(t, 16, 16)
	frame := bytes.Index(jpg, []byte{0xff, 0xc0})
	patched := func(at int, to ...byte) []byte {
		out := slices.Clone(jpg)
		copy(out[frame+at:], to)
		return out
	}
	cmyk := cmykJPEG(0, 255, 255, 0)
	bmp16 := bmp32(108, true, 1, 2, 3, 4)
	bmp16[28] = 16
	animated := append([]byte("RIFF\x1e\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00"), make([]byte, 14)...)
	for name, c := range map[string]struct {
		data []byte
		says string
	}{
		"arithmetic":         {patched(1, 0xc9), "JPEG with arithmetic coding"},
		"lossless":           {patched(1, 0xc3), "lossless or hierarchical JPEG"},
		"12 bits":            {patched(4, 12), "JPEG of 12 bits per sample"},
		"odd sampling":       {patched(11, 0x31), "subsampling"},
		"CMYK without Adobe": {append(slices.Clone(cmyk[:2]), cmyk[2+16:]...), "Adobe"},
		"BMP of 16 bits":     {bmp16, "BMP in this form"},
		"TIFF with JPEG":     {tiffOf(quarters(), 7, 1), "TIFF with compression value 7"},
		"animated WebP":      {animated, "animated WebP"},
	} {
		_, _, err := decode(c.data)
		if err == nil || !strings.HasPrefix(err.Error(), "unsupported: ") || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "convert it") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := decode(jpg[:len(jpg)/2]); err == nil || !strings.Contains(err.Error(), "damaged or cut off") {
		t.Errorf("cut off: %v", err)
	}
}

// Data of 10 or 12 bits in pictures of 16 are nearly black; a scan says so.
func TestShallowPicturesAreNoted(t *testing.T) {
	dir := t.TempDir()
	for class, value := range map[string]uint16{"bright": 0xf000, "dark": 1000, "darker": 3000} {
		img := image.NewGray16(image.Rect(0, 0, 4, 4))
		img.SetGray16(1, 1, color.Gray16{value})
		if err := os.MkdirAll(filepath.Join(dir, class), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, class, "a.png"), pngOf(t, img), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	ix, err := Scan(t.Context(), Options{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	if len(ix.Notes) != 1 || !strings.Contains(ix.Notes[0], "2 pictures of 16 bits, as dark/a.png, use 12 bits at most") || !strings.Contains(ix.Notes[0], "by 16") {
		t.Errorf("notes %q", ix.Notes)
	}
}

func TestOrientationOfWebP(t *testing.T) {
	data := []byte("RIFF\x00\x00\x00\x00WEBP")
	for _, c := range []struct{ name, body string }{{"VP8X", "odd"}, {"EXIF", string(tagged([3]uint32{0x0112, 3, 8}))}} {
		data = binary.LittleEndian.AppendUint32(append(data, c.name...), uint32(len(c.body)))
		data = append(append(data, c.body...), make([]byte, len(c.body)%2)...)
	}
	if got := orientation(data, "webp"); got != 8 {
		t.Errorf("orientation %d, want 8", got)
	}
}
