package dataset

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"io"
	"iter"
	"regexp"
	"strings"
)

const (
	exifHead = "Exif\x00\x00"
	xmpHead  = "http://ns.adobe.com/xap/1.0/\x00"
)

// orientation is how a picture is to be turned: the EXIF tag 0x0112, or where there
// is none XMP's tiff:Orientation, as Pillow has it; 1 where both are missing or
// unreadable, as damaged metadata do not spoil a picture.
func orientation(data []byte, format string) int {
	exif, xmp := metadata(data, format)
	if o := exifOrientation(bytes.TrimPrefix(exif, []byte(exifHead))); o > 0 {
		return o
	}
	if found := xmpOrientation.FindSubmatch(xmp); found != nil {
		return int(found[1][0] - '0')
	}
	return 1
}

var xmpOrientation = regexp.MustCompile(`tiff:Orientation(?:="|>)([1-8])`)

// exifOrientation reads the tag from a TIFF structure: a whole number of any width;
// 0 where there is none from 1 to 8.
func exifOrientation(exif []byte) int {
	if len(exif) < 8 {
		return 0
	}
	var order binary.ByteOrder = binary.BigEndian
	if exif[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(exif[4:]))
	if at+2 > uint64(len(exif)) {
		return 0
	}
	entries := exif[at+2:]
	for n := order.Uint16(exif[at:]); n > 0 && len(entries) >= 12; n, entries = n-1, entries[12:] {
		if order.Uint16(entries) != 0x0112 || order.Uint32(entries[4:]) != 1 {
			continue
		}
		value := uint32(0)
		switch order.Uint16(entries[2:]) {
		case 1, 6: // BYTE, SBYTE
			value = uint32(entries[8])
		case 3, 8: // SHORT, SSHORT
			value = uint32(order.Uint16(entries[8:]))
		case 4, 9: // LONG, SLONG
			value = order.Uint32(entries[8:])
		}
		if value >= 1 && value <= 8 {
			return int(value)
		}
	}
	return 0
}

// metadata are the EXIF and XMP parts of a file, empty where it has none.
func metadata(data []byte, format string) (exif, xmp []byte) {
	switch format {
	case "tiff":
		return data, nil
	case "jpeg":
		for marker, body := range jpegSegments(data) {
			if marker != 0xe1 {
				continue
			}
			if bytes.HasPrefix(body, []byte(exifHead)) && exif == nil {
				exif = body
			} else if after, is := bytes.CutPrefix(body, []byte(xmpHead)); is {
				xmp = after
			}
		}
	case "webp":
		for name, body := range chunks(data, 12, binary.LittleEndian, true) {
			switch name {
			case "EXIF":
				exif = body
			case "XMP ":
				xmp = body
			}
		}
	case "png":
		return pngMetadata(data)
	}
	return exif, xmp
}

// pngMetadata finds them in chunks of their own, and EXIF as hexadecimal text where
// ImageMagick writes it.
func pngMetadata(data []byte) (exif, xmp []byte) {
	for name, body := range chunks(data, 8, binary.BigEndian, false) {
		key, text, _ := bytes.Cut(body, []byte{0})
		switch {
		case name == "eXIf":
			exif = body
		case name == "iTXt" && string(key) == "XML:com.adobe.xmp":
			xmp = text
		case exif != nil || !strings.HasPrefix(string(key), "Raw profile type "):
		case name == "tEXt":
			exif = rawProfile(text)
		case name == "zTXt" && len(text) > 0:
			if r, err := zlib.NewReader(bytes.NewReader(text[1:])); err == nil {
				text, _ = io.ReadAll(io.LimitReader(r, 1<<20))
				exif = rawProfile(text)
			}
		}
	}
	return exif, xmp
}

// rawProfile is the content of a text "\nexif\n  LENGTH\nHEXADECIMAL...": nil of
// other profiles.
func rawProfile(text []byte) []byte {
	lines := strings.Split(string(text), "\n")
	if len(lines) < 4 || lines[1] != "exif" && lines[1] != "APP1" {
		return nil
	}
	body, _ := hex.DecodeString(strings.Join(lines[3:], ""))
	return body
}

// jpegSegments are the marker segments up to the first scan.
func jpegSegments(data []byte) iter.Seq2[byte, []byte] {
	return func(yield func(byte, []byte) bool) {
		for at := 2; at+4 <= len(data) && data[at] == 0xff; {
			marker := data[at+1]
			if marker == 0xff { // a fill byte
				at++
				continue
			}
			end := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
			if marker == 0xda || end < at+4 || end > len(data) || !yield(marker, data[at+4:end]) {
				return
			}
			at = end
		}
	}
}

// chunks are those of PNG, whose length comes first and a checksum last, or of RIFF,
// whose name comes first and which are of even length.
func chunks(data []byte, at int, order binary.ByteOrder, riff bool) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		name, length, behind := 4, 0, 4
		if riff {
			name, length, behind = 0, 4, 0
		}
		for at+8 <= len(data) {
			n := int(order.Uint32(data[at+length:]))
			if n > len(data)-at-8 || !yield(string(data[at+name:at+name+4]), data[at+8:at+8+n]) {
				return
			}
			if at += 8 + n + behind; riff {
				at += n % 2
			}
		}
	}
}
