package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// pictureEndings are those of files that people take for pictures, in formats
// that can be read here or not.
var pictureEndings = []string{
	"jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "bmp", "dib", "tif", "tiff", "heic", "heif", "avif", "jp2", "j2k", "jxl",
	"ppm", "pgm", "pbm", "pnm",
}

// isPictureName reports whether a file's name ends as a picture's.
func isPictureName(file string) bool {
	ending := strings.TrimPrefix(path.Ext(file), ".")
	for _, e := range pictureEndings {
		if strings.EqualFold(ending, e) {
			return true
		}
	}
	return false
}

// hasSignature reports whether a file without an ending begins as a picture does.
func hasSignature(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 12)
	n, _ := io.ReadFull(f, head)
	return slices.ContainsFunc([]string{"\xff\xd8\xff", "\x89PNG", "GIF8", "BM", "RIFF"}, func(s string) bool { return bytes.HasPrefix(head[:n], []byte(s)) })
}

// isNoPicture reports whether a file neither is a picture nor is called one.
func isNoPicture(file string, err error) bool {
	var not *notPicture
	return errors.As(err, &not) && !isPictureName(file)
}

// explain adds what a file holds to the error that it is no picture.
func explain(err error, data []byte) error {
	var not *notPicture
	if what := contentOf(data); errors.As(err, &not) && what != "" {
		return fmt.Errorf("%w, but %s", err, what)
	}
	return err
}

// contentOf says what a file that is no picture seems to hold; empty: unknown.
func contentOf(data []byte) string {
	text := bytes.ToLower(bytes.TrimSpace(bytes.TrimPrefix(data[:min(len(data), 512)], []byte(byteOrderMark))))
	begins := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(data, []byte(p)) {
				return true
			}
		}
		return false
	}
	switch {
	case len(bytes.Trim(data, "\x00")) == 0:
		return "zero bytes alone: it was not written whole"
	case bytes.HasPrefix(text, []byte("version https://git-lfs")):
		return "a pointer of Git LFS: git lfs pull fetches the picture"
	case bytes.HasPrefix(text, []byte("<svg")), bytes.Contains(text, []byte("<svg")):
		return "an SVG drawing"
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")):
		return "a web page: the download failed"
	case len(data) > 12 && string(data[4:8]) == "ftyp":
		return containerOf(string(data[8:12]))
	case begins("II*\x00", "MM\x00*"):
		return "TIFF"
	case begins("\x00\x00\x00\x0cjP  ", "\xff\x4f\xff\x51"):
		return "JPEG 2000"
	case begins("\x00\x00\x00\x0cJXL ", "\xff\x0a"):
		return "JPEG XL"
	case begins("%PDF"):
		return "a PDF document"
	case begins("PK\x03\x04", "\x1f\x8b", "Rar!"):
		return "an archive"
	}
	if at := bytes.Index(data[:min(len(data), 64)], []byte("\xff\xd8\xff")); at > 0 {
		return fmt.Sprintf("a JPEG that begins at byte %d: something was put before it", at)
	}
	return ""
}

// containerOf names the format of an ISO media file by its brand.
func containerOf(brand string) string {
	switch brand {
	case "heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1":
		return "HEIC: convert it"
	case "avif", "avis":
		return "AVIF: convert it"
	}
	return "a video or another media file"
}

// badPictures is one error for all of them; nil for none.
func (s *scan) badPictures(bad []BadPicture) error {
	if len(bad) == 0 {
		return nil
	}
	first := bad[0]
	e := &Error{
		File: filepath.Join(s.root, filepath.FromSlash(first.File)), Problem: first.Reason, Bad: bad,
		hint: "repair or remove the picture, or leave such pictures out with on_bad: skip",
	}
	if s.list != "" {
		e.File, e.Line, e.Problem = s.list, first.Line, fmt.Sprintf("%s: %s", printable(first.File), first.Reason)
	}
	if s.list != "" && first.Reason == noSuchFile {
		e.hint = fmt.Sprintf("a line is a file name and then its label; names are relative to %s, or to dataset.root", s.root)
	}
	if len(bad) > 1 {
		e.Problem += fmt.Sprintf("; %s unreadable, as %s", counted(len(bad)-1, "more picture is", "more pictures are"), listNames(filesOf(bad[1:])))
		e.hint += "; orchestrator dataset inspect lists them all"
	}
	return e
}

func filesOf(bad []BadPicture) []string {
	files := make([]string, len(bad))
	for i, b := range bad {
		files[i] = b.File
	}
	return files
}

// noSuchFile is what is wrong with a listed picture that is missing.
const noSuchFile = "there is no such file"
