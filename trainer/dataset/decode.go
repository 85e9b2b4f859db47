package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif" // the first frame of an animation
	"image/jpeg"  // grey, YCbCr and CMYK
	_ "image/png" // grey, palette, alpha, 8 and 16 bits
	"math"
	"math/bits"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff" // the first page
	_ "golang.org/x/image/webp"
)

// maxPixels bounds a picture before it is decoded: 200 megapixels are far above
// any camera's, and a tiny file can claim far more.
const maxPixels = 200_000_000

// notPicture says that a file is of no known format.
type notPicture struct{}

func (*notPicture) Error() string { return "not a picture (JPEG, PNG, GIF, WebP, BMP or TIFF)" }

// decode reads a picture of any supported format, told by content and not by
// name, as it is stored: the orientation is applied by upright.
func decode(data []byte) (image.Image, string, error) {
	if len(data) == 0 {
		return nil, "", errors.New("the file is empty")
	}
	head, format, err := image.DecodeConfig(bytes.NewReader(data))
	if errors.Is(err, image.ErrFormat) {
		return nil, "", &notPicture{}
	}
	if err != nil {
		return nil, "", undecodable(data, err)
	}
	if head.Width < 1 || head.Height < 1 || head.Width > maxPixels/head.Height {
		return nil, "", fmt.Errorf("%d×%d pixels; at most %d million are accepted", head.Width, head.Height, maxPixels/1_000_000)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", undecodable(data, err)
	}
	switch format {
	case "webp":
		img = widened(img)
	case "gif":
		img = onScreen(img, head)
	case "bmp":
		dropEmptyAlpha(img, data)
	}
	return img, format, nil
}

// undecodable tells a picture in a form that is not supported, which other programs
// show, from one that is damaged.
func undecodable(data []byte, err error) error {
	var ofJPEG jpeg.UnsupportedError
	var ofTIFF tiff.UnsupportedError
	var what string
	switch {
	case errors.As(err, &ofJPEG):
		what = jpegFeature(data, ofJPEG)
	case errors.As(err, &ofTIFF):
		what = "TIFF with " + string(ofTIFF)
	case errors.Is(err, bmp.ErrUnsupported):
		what = "BMP in this form (compressed, or with 16 bits per pixel)"
	case len(data) > 20 && string(data[8:16]) == "WEBPVP8X" && data[20]&2 != 0:
		what = "animated WebP"
	default:
		return fmt.Errorf("the picture is damaged or cut off: %w", err)
	}
	return fmt.Errorf("unsupported: %s; convert it, for example with: magick PICTURE[0] PICTURE.png", what)
}

// jpegFeature is what a JPEG has that is not supported. Package image/jpeg takes
// the frames of other codings for unknown markers.
func jpegFeature(data []byte, err jpeg.UnsupportedError) string {
	for marker, body := range jpegSegments(data) {
		switch {
		case marker == 0xc3 || marker >= 0xc5 && marker <= 0xc7:
			return "lossless or hierarchical JPEG"
		case marker >= 0xc9 && marker <= 0xcf && marker != 0xcc:
			return "JPEG with arithmetic coding"
		case marker >= 0xc0 && marker <= 0xc2 && len(body) > 0 && body[0] != 8:
			return fmt.Sprintf("JPEG of %d bits per sample", body[0])
		}
	}
	return "JPEG with " + string(err)
}

// onScreen puts a frame of a GIF in its place on the screen, which is transparent
// elsewhere.
func onScreen(frame image.Image, screen image.Config) image.Image {
	whole := image.Rect(0, 0, screen.Width, screen.Height)
	if frame.Bounds() == whole {
		return frame
	}
	out := image.NewNRGBA(whole)
	draw.Draw(out, frame.Bounds(), frame, frame.Bounds().Min, draw.Src)
	return out
}

// dropEmptyAlpha makes a BMP opaque whose fourth byte holds nothing: without bit
// fields it is reserved, and where it is 0 everywhere nobody has filled it in.
func dropEmptyAlpha(img image.Image, data []byte) {
	p, ok := img.(*image.NRGBA)
	if !ok {
		return
	}
	const compression = 30 // its place in the headers; 0 is none, and no bit fields
	empty := binary.LittleEndian.Uint32(data[compression:]) == 0
	if !empty {
		empty = true
		for i := 3; i < len(p.Pix); i += 4 {
			empty = empty && p.Pix[i] == 0
		}
	}
	for i := 3; empty && i < len(p.Pix); i += 4 {
		p.Pix[i] = 0xff
	}
}

// usedBits is how many bits the samples of a picture of 16 bits use: fewer than
// 16 where a sensor's 10 or 12 bits are stored as they are. Of other pictures 0.
func usedBits(img image.Image) int {
	var pix []byte
	colour := false // of four samples, the last is alpha
	switch img := img.(type) {
	case *image.Gray16:
		pix = img.Pix
	case *image.RGBA64:
		pix, colour = img.Pix, true
	case *image.NRGBA64:
		pix, colour = img.Pix, true
	}
	var all uint16
	for i := 0; i < len(pix); i += 2 {
		if !colour || i%8 != 6 {
			all |= binary.BigEndian.Uint16(pix[i:])
		}
	}
	return bits.Len16(all)
}

// shallowNote warns of pictures that are almost black, as 10 or 12 bits of data are
// stored in 16.
func shallowNote(samples []Sample) []string {
	n, most, first := 0, 0, ""
	for _, s := range samples {
		if s.UsedBits > 0 && s.UsedBits <= 12 {
			if n++; n == 1 {
				first = s.File
			}
			most = max(most, s.UsedBits)
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d pictures of 16 bits, as %s, use %d bits at most and are nearly black: of 16 bits the highest 8 are taken; multiply their values by %d",
		n, first, most, 1<<(16-most))}
}

// widened brings the planes of a lossy WebP from the range of video (luma from
// 16 to 235, chroma from 16 to 240; RFC 6386, 9.2) to JPEG's, in which package
// image takes them.
func widened(img image.Image) image.Image {
	planes, ok := img.(*image.YCbCr)
	if alpha, has := img.(*image.NYCbCrA); has {
		planes, ok = &alpha.YCbCr, true
	}
	if !ok {
		return img // lossless: no planes
	}
	for i, y := range planes.Y {
		planes.Y[i] = clamp(math.Round((float64(y) - 16) * 255 / 219))
	}
	for _, chroma := range [][]uint8{planes.Cb, planes.Cr} {
		for i, c := range chroma {
			chroma[i] = clamp(math.Round((float64(c)-128)*255/224 + 128))
		}
	}
	return img
}

// opaque draws a picture over white, so that what is transparent has a colour.
func opaque(img image.Image) *image.RGBA {
	b := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(out, out.Bounds(), img, b.Min, draw.Over)
	return out
}

// upright turns and flips a picture as its orientation tag says (EXIF 2.32,
// 4.6.4 A): the result's row 0 is the visual top.
func upright(img *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			sx, sy := source(orientation, x, y, w, h)
			copy(out.Pix[out.PixOffset(x, y):][:4], img.Pix[img.PixOffset(sx, sy):][:4])
		}
	}
	return out
}

// source is where the upright picture's pixel (x, y) is stored.
func source(orientation, x, y, w, h int) (int, int) {
	switch orientation {
	case 2: // mirrored
		return w - 1 - x, y
	case 3: // upside down
		return w - 1 - x, h - 1 - y
	case 4: // mirrored upside down
		return x, h - 1 - y
	case 5: // mirrored along the main diagonal
		return y, x
	case 6: // must be turned clockwise
		return y, h - 1 - x
	case 7: // mirrored along the other diagonal
		return w - 1 - y, h - 1 - x
	}
	return w - 1 - y, x // 8: must be turned anticlockwise
}
