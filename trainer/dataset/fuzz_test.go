package dataset

import (
	"bytes"
	"encoding/binary"
	"image/color"
	"testing"
)

// FuzzList: any list gives entries with a name, a label and a line, or an error
// that is bad input.
func FuzzList(f *testing.F) {
	for _, seed := range []string{"a b.png cat\n", "file,label\na.png,1\n", "\"a;b\";c\n", "a\tb\n", `{"file":"a","label":1}`, byteOrderMark + "x y", `[{"file":"a","label":1}]`, "0\t1.0\ta", "image,cat,dog\na,1,0\n", "\xff\xfea\x00"} {
		for _, ending := range []string{".txt", ".csv", ".tsv", ".jsonl", ".json", ".lst"} {
			f.Add(ending, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, ending string, data []byte) {
		entries, err := (&scan{list: "list" + ending, root: "nowhere"}).parse(Options{}, data)
		if err != nil {
			wantBadInput(t, err)
			return
		}
		classes := []string{}
		for _, e := range entries {
			if e.file == "" || e.class == "" || e.line < 1 || e.line > 1+bytes.Count(data, []byte("\n")) {
				t.Fatalf("entry %+v", e)
			}
			classes = append(classes, e.class)
		}
		sortClasses(classes)
	})
}

// FuzzPack: any bytes give a pack whose pictures are inside the file, or an error.
func FuzzPack(f *testing.F) {
	path, _ := packed(f, mustScan(f, Options{Path: write(f, fixedFiles(f))}))
	whole := []byte(readText(f, path))
	f.Add(whole)
	f.Add(whole[:2048])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := readPack(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for i, s := range p.Index.Samples {
			if s.Label < 0 || s.Label >= len(p.Index.Classes) {
				t.Fatalf("sample %d has label %d of %d", i, s.Label, len(p.Index.Classes))
			}
			if p.at[i] < 0 || p.size[i] < 0 || p.at[i]+p.size[i] > int64(len(data)) {
				t.Fatalf("picture %d is at %d, %d bytes of %d", i, p.at[i], p.size[i], len(data))
			}
			_, _ = p.Picture(i)
		}
	})
}

// FuzzDecode: any bytes become pixels of the size asked for, or an error.
func FuzzDecode(f *testing.F) {
	f.Add(pngOf(f, plain(3, 2, color.White)))
	f.Add(withPNGEXIF(pngOf(f, plain(3, 2, color.White)), 6))
	f.Add(withEXIF(jpegOf(f, 9, 9), binary.LittleEndian, 8))
	f.Add(withEXIF(jpegOf(f, 9, 9), binary.BigEndian, 3))
	f.Add(cmykJPEG(1, 2, 3, 4))
	f.Add(bmpOf(f, plain(3, 2, color.White)))
	f.Add(lossyWebP(f))
	f.Add(losslessWebP())
	f.Add([]byte("GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"))
	g := Geometry{Resize: []int{5}, Channels: "rgb"}
	f.Fuzz(func(t *testing.T, data []byte) {
		if claimed(data) > 1<<22 {
			return // allowed, but too slow to try thousands of
		}
		planes, err := Prepare(data, g)
		if err == nil && len(planes) != 75 {
			t.Fatalf("%d bytes of pixels", len(planes))
		}
	})
}
