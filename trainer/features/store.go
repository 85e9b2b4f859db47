package features

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"

	"orchestrator/trainer/onnx"
)

// record describes a chunk in the store; its object is created after those it
// names. artifacts/FORMAT.md describes both.
type record struct {
	First    int      `json:"first"`    // picture
	Pictures int      `json:"pictures"` // in the chunk
	Values   []object `json:"values"`
}

// object is one value's features of a chunk: float32, little-endian, picture by
// picture, row-major.
type object struct {
	Name   string `json:"name"`
	Shape  []int  `json:"shape"` // of one picture
	Key    string `json:"key"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Prefix is above all objects of a pass in the store.
func Prefix(key string) string { return "features/" + key + "/" }

func (f *filler) recordKey(first int) string {
	return fmt.Sprintf("%s%06d.json", Prefix(f.key), first/f.chunk)
}

func (f *filler) objectKey(digest string) string { return Prefix(f.key) + digest + ".f32" }

// errDamaged says that an object of a record is missing or has other bytes.
var errDamaged = errors.New("the stored features are damaged")

// get brings one chunk into the draft.
func (f *filler) get(ctx context.Context, first, end int) error {
	if f.Store == nil {
		return f.compute(ctx, first, end)
	}
	stored, err := f.stored(ctx, first)
	if err != nil {
		return err
	}
	if stored != nil {
		err := f.fetch(ctx, stored, first, end)
		if err == nil {
			f.Report(end, f.Pictures)
		}
		if !errors.Is(err, errDamaged) {
			return err
		}
		f.Log.Warn("features are computed again", "pass", f.key, "picture", first, "error", err)
	}
	if err := f.compute(ctx, first, end); err != nil {
		return err
	}
	return f.publish(ctx, stored, first, end)
}

// publish stores a computed chunk. Where somebody has stored it meanwhile, what
// they have stored counts.
func (f *filler) publish(ctx context.Context, stored *record, first, end int) error {
	r, err := f.describe(first, end)
	if err != nil {
		return err
	}
	if stored != nil && !reflect.DeepEqual(*stored, r) {
		return &DamagedError{Prefix: Prefix(f.key)}
	}
	for i, o := range r.Values {
		if _, err := f.Store.Create(ctx, o.Key, f.region(i, first, end), o.Size); err != nil {
			return fmt.Errorf("store features: %w", err)
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("store features: %w", err)
	}
	text = append(text, '\n')
	created, err := f.Store.Create(ctx, f.recordKey(first), bytes.NewReader(text), int64(len(text)))
	if err != nil {
		return fmt.Errorf("store features: %w", err)
	}
	if created || stored != nil {
		return nil
	}
	if stored, err = f.stored(ctx, first); err != nil || stored == nil || reflect.DeepEqual(*stored, r) {
		return err
	}
	return f.fetch(ctx, stored, first, end)
}

// describe makes the record of a chunk of the draft.
func (f *filler) describe(first, end int) (record, error) {
	r := record{First: first, Pictures: end - first}
	for i, v := range f.values {
		h := sha256.New()
		size, err := io.Copy(h, f.region(i, first, end))
		if err != nil {
			return r, fmt.Errorf("read the cache: %w", err)
		}
		digest := hex.EncodeToString(h.Sum(nil))
		r.Values = append(r.Values, object{Name: v.Name, Shape: v.Shape, Key: f.objectKey(digest), Size: size, SHA256: digest})
	}
	return r, nil
}

// region is where a chunk of value i stands in the draft.
func (f *filler) region(i, first, end int) *io.SectionReader {
	v := f.values[i]
	return io.NewSectionReader(f.draft, v.at+int64(first)*v.Bytes(), int64(end-first)*v.Bytes())
}

// stored is the record of a chunk in the store, or nil.
func (f *filler) stored(ctx context.Context, first int) (*record, error) {
	var r record
	found, err := f.Store.Read(ctx, f.recordKey(first), func(data io.Reader) error {
		r = record{}
		return json.NewDecoder(data).Decode(&r)
	})
	if err != nil || !found {
		return nil, err
	}
	return &r, nil
}

// fetch brings the objects of a record into the draft and verifies them.
func (f *filler) fetch(ctx context.Context, r *record, first, end int) error {
	if r.First != first || r.Pictures != end-first || len(r.Values) != len(f.values) {
		return fmt.Errorf("%w: %s is of other pictures", errDamaged, f.recordKey(first))
	}
	for i, o := range r.Values {
		v := f.values[i]
		if o.Size != int64(end-first)*v.Bytes() || onnx.NumElements(o.Shape) != v.row {
			return fmt.Errorf("%w: %s has %d bytes of %v", errDamaged, o.Key, o.Size, o.Shape)
		}
		found, err := f.Store.Read(ctx, o.Key, func(data io.Reader) error {
			return f.copy(o, data, v.at+int64(first)*v.Bytes())
		})
		if err == nil && !found {
			err = fmt.Errorf("%w: %s is missing", errDamaged, o.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// copy writes an object's bytes to an offset of the draft.
func (f *filler) copy(o object, data io.Reader, at int64) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, io.NewOffsetWriter(f.draft, at)), io.LimitReader(data, o.Size))
	if err != nil {
		return fmt.Errorf("fetch features: %w", err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); n != o.Size || got != o.SHA256 {
		return fmt.Errorf("%w: the SHA-256 of %s is %s", errDamaged, o.Key, got)
	}
	return nil
}

// DamagedError says that features in the store are neither what their record
// says nor what this machine computes.
type DamagedError struct{ Prefix string }

func (e *DamagedError) Error() string {
	return "the features in the store below " + e.Prefix + " are damaged, and this machine computes other ones"
}

// Hint says how to repair it.
func (e *DamagedError) Hint() string {
	return "delete the objects below " + e.Prefix + ": they are computed again when a job needs them"
}
