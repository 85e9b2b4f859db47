package dataset

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// indexName is the first entry of a pack; the pictures follow as
// pictures/000000, pictures/000001, ... in the index's order.
const indexName = "index.json"

func pictureName(i int) string { return fmt.Sprintf("pictures/%06d", i) }

// maxIndex bounds the index of a pack that is read: about 10 million samples.
const maxIndex = 2 << 30

// WritePack writes the data set as one uncompressed tar: the index, then the
// pictures' files as they are. The same data set gives the same bytes on every
// machine, and their hex SHA-256 is its digest.
func WritePack(ctx context.Context, ix *Index, w io.Writer) (digest string, size int64, err error) {
	sum := sha256.New()
	count := &counter{w: io.MultiWriter(w, sum)}
	t := tar.NewWriter(count)
	// What is left out does not count: a file that an operating system hides in
	// a folder must not make another data set of it.
	head, err := json.MarshalIndent(Index{Classes: ix.Classes, Samples: ix.Samples}, "", " ")
	if err != nil {
		return "", 0, fmt.Errorf("write the pack: %w", err)
	}
	if err := writeEntry(t, indexName, head); err != nil {
		return "", 0, err
	}
	for i, s := range ix.Samples {
		if ctx.Err() != nil {
			return "", 0, context.Cause(ctx)
		}
		if err := packPicture(t, ix.Root, i, s); err != nil {
			return "", 0, err
		}
	}
	if err := t.Close(); err != nil {
		return "", 0, fmt.Errorf("write the pack: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), count.n, nil
}

func packPicture(t *tar.Writer, root string, i int, s Sample) error {
	data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(s.File)))
	if err != nil {
		return fmt.Errorf("write the pack: %w", err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != s.SHA256 {
		return &Error{File: s.File, Problem: "the picture changed while it was read", hint: "start again when nobody writes to the data set"}
	}
	return writeEntry(t, pictureName(i), data)
}

func writeEntry(t *tar.Writer, name string, data []byte) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if h.Size >= 1<<33 {
		h.Format = tar.FormatPAX
	}
	if err := t.WriteHeader(h); err != nil {
		return fmt.Errorf("write the pack: %s: %w", name, err)
	}
	if _, err := t.Write(data); err != nil {
		return fmt.Errorf("write the pack: %s: %w", name, err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Pack is an open pack.
type Pack struct {
	Index *Index
	file  io.ReaderAt
	close func() error
	at    []int64 // where each picture begins
	size  []int64
}

// OpenPack opens a pack and checks its structure. Whoever fetched it checks its
// digest; Picture checks the content of each picture.
func OpenPack(path string) (*Pack, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the pack: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the pack: %w", err)
	}
	p, err := readPack(f, info.Size())
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open the pack %s: %w", path, err)
	}
	p.close = f.Close
	return p, nil
}

// readPack notes where every picture is.
func readPack(f io.ReaderAt, size int64) (*Pack, error) {
	section := io.NewSectionReader(f, 0, size)
	t := tar.NewReader(section)
	h, err := t.Next()
	if err != nil || h.Name != indexName || h.Size > min(maxIndex, size) {
		return nil, errors.New("it does not begin with an index: it is not a pack")
	}
	p := &Pack{Index: new(Index), file: f}
	data, err := io.ReadAll(t)
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(p.Index); err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	for i, s := range p.Index.Samples {
		if s.Label < 0 || s.Label >= len(p.Index.Classes) {
			return nil, fmt.Errorf("sample %d has label %d of %d classes", i, s.Label, len(p.Index.Classes))
		}
		h, err := t.Next()
		if err != nil || h.Name != pictureName(i) || h.Size != s.Size {
			return nil, fmt.Errorf("picture %d is missing, or not of the size that the index says", i)
		}
		at, err := section.Seek(0, io.SeekCurrent) // the tar reader stops where the data begin
		if err != nil {
			return nil, err
		}
		if h.Size > size-at {
			return nil, fmt.Errorf("picture %d is cut off", i)
		}
		p.at, p.size = append(p.at, at), append(p.size, h.Size)
	}
	return p, nil
}

// Picture returns the file of a sample as it was packed; an error where its
// bytes are not those that the index promises.
func (p *Pack) Picture(sample int) ([]byte, error) {
	data := make([]byte, p.size[sample])
	if _, err := p.file.ReadAt(data, p.at[sample]); err != nil {
		return nil, fmt.Errorf("read %s from the pack: %w", p.Index.Samples[sample].File, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != p.Index.Samples[sample].SHA256 {
		return nil, fmt.Errorf("read %s from the pack: its content is not what the index promises: the pack is damaged", p.Index.Samples[sample].File)
	}
	return data, nil
}

// Close closes the file.
func (p *Pack) Close() error { return p.close() }
