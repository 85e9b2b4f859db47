package dataset

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestNoPicturesCalledPictures: files that are called pictures and are none are
// errors that say what they are, all at once; with on_bad: skip they are counted.
func TestNoPicturesCalledPictures(t *testing.T) {
	jpeg := jpegOf(t, 8, 8)
	contents := map[string]struct {
		data []byte
		what string
	}{
		"zeros.jpg": {make([]byte, 5000), "zero bytes"},
		"page.JPG":  {[]byte("\n<!DOCTYPE html><html>404"), "web page"},
		"lfs.png":   {[]byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"), "git lfs pull"},
		"phone.jpg": {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "HEIC"},
		"new.heic":  {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), "HEIC"},
		"x.avif":    {[]byte("\x00\x00\x00\x18ftypavif\x00\x00\x00\x00mif1avif"), "AVIF"},
		"mov.jpg":   {[]byte("\x00\x00\x00\x18ftypqt  \x00\x00\x00\x00"), "video"},
		"one.jpeg":  {append([]byte{0}, jpeg...), "JPEG that begins at byte 1"},
		"doc.png":   {[]byte("%PDF-1.7"), "PDF"},
		"z.gif":     {[]byte("PK\x03\x04zip"), "archive"},
		"d.png":     {[]byte(`<?xml version="1.0"?><svg/>`), "SVG"},
		"j2k.jp2":   {[]byte("\x00\x00\x00\x0cjP  \r\n\x87\n"), "JPEG 2000"},
		"l.jxl":     {[]byte("\xff\x0a1234"), "JPEG XL"},
		"text.bmp":  {[]byte("hello"), "not a picture"},
	}
	files := pictures(t, "a/1.png", "b/1.png")
	files["b/notes.txt"], files["b/Thumbs.db"] = []byte("seen in May"), []byte("cache")
	for name, c := range contents {
		files["b/"+name] = c.data
	}
	dir := write(t, files)
	_, err := Scan(context.Background(), Options{Path: dir})
	wantBadInput(t, err, "13 more pictures are unreadable")
	var e *Error
	if !errors.As(err, &e) || len(e.Bad) != len(contents) {
		t.Fatalf("%d are named, want %d", len(e.Bad), len(contents))
	}
	for _, b := range e.Bad {
		if want := contents[strings.TrimPrefix(b.File, "b/")].what; !strings.Contains(b.Reason, want) || !strings.Contains(b.Reason, "not a picture") {
			t.Errorf("%s: %q does not speak of %q", b.File, b.Reason, want)
		}
	}
	ix := mustScan(t, Options{Path: dir, OnBad: "skip"})
	wantNotes(t, ix.Notes, []string{"14 pictures are left out as unreadable (on_bad: skip)"})
	if len(ix.Samples) != 2 || len(ix.LeftOut) != len(contents)+2 {
		t.Errorf("%d samples, left out %q", len(ix.Samples), leftOut(ix))
	}

	// A class that vanishes with them is named.
	files = pictures(t, "a/1.png", "b/1.png")
	files["c/1.jpg"] = make([]byte, 100)
	wantNotes(t, mustScan(t, Options{Path: write(t, files), OnBad: "skip"}).Notes, []string{"1 picture is left out as unreadable", "class c has no pictures"})
}
