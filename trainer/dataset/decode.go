package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"  // the first frame of an animation
	_ "image/jpeg" // grey, YCbCr and CMYK
	_ "image/png"  // grey, palette, alpha, 8 and 16 bits
	"math"

	"github.com/bep/imagemeta"
	_ "golang.org/x/image/bmp"
	_ "golang.org/x/image/webp"
)

// maxPixels bounds a picture before it is decoded: 200 megapixels are far above
// any camera's, and a tiny file can claim far more.
const maxPixels = 200_000_000

// notPicture says that a file is of no known format.
type notPicture struct{}

func (*notPicture) Error() string { return "not a picture (JPEG, PNG, GIF, WebP or BMP)" }

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
		return nil, "", fmt.Errorf("the picture is damaged or cut off: %w", err)
	}
	if head.Width < 1 || head.Height < 1 || head.Width > maxPixels/head.Height {
		return nil, "", fmt.Errorf("%d×%d pixels; at most %d million are accepted", head.Width, head.Height, maxPixels/1_000_000)
	}
	img, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, "", fmt.Errorf("the picture is damaged or cut off: %w", err)
	}
	if format == "webp" {
		img = widened(img)
	}
	return img, format, nil
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

// exifFormats are the formats in which cameras note how they were held.
var exifFormats = map[string]imagemeta.ImageFormat{"jpeg": imagemeta.JPEG, "png": imagemeta.PNG, "webp": imagemeta.WebP}

// orientation is the EXIF tag 0x0112, 1 where there is none or it is unreadable.
func orientation(data []byte, format string) int {
	kind, ok := exifFormats[format]
	if !ok {
		return 1
	}
	found := 1
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(data), ImageFormat: kind, Sources: imagemeta.EXIF,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool { return t.Tag == "Orientation" },
		HandleTag: func(t imagemeta.TagInfo) error {
			if v, ok := t.Value.(uint16); ok && t.Namespace == "IFD0" && v >= 1 && v <= 8 {
				found = int(v)
			}
			return nil
		},
	})
	if err != nil {
		return 1 // damaged metadata do not spoil a picture
	}
	return found
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
