package features

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"orchestrator/trainer"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/footprint"
	"orchestrator/trainer/onnx"
)

// Spec says what is to be computed: some values of a network for all pictures
// of a data set, each seen through its central crop.
type Spec struct {
	Model  *onnx.Graph // imported template (batch open)
	Values []string    // names of its values, such as layers' outputs (see ValueOf)

	Data     trainer.Data
	Pictures int // of Data, from 0
	// Pack and Preprocessing stand for what Data serves: the digest of the data
	// set, and a text that differs where the arrays made of it do.
	Pack          string
	Preprocessing string

	Engine  string // version of all that turns a network into numbers
	Device  string // that computes, such as cpu
	Threads int    // of the runtime: they can change the last bits
}

// Value is one value's features.
type Value struct {
	Name  string
	Shape []int // of one picture
	row   int   // floats of one picture
	at    int64 // offset in the cache file
}

// Bytes is the size of the value for one picture.
func (v Value) Bytes() int64 { return 4 * int64(v.row) }

// ValueOf is the name of a layer's output; layers are named as
// `orchestrator model inspect` prints them.
func ValueOf(model *onnx.Graph, layer string) (string, error) {
	for _, n := range model.Nodes {
		if n.Name == layer {
			return n.Outputs[0], nil
		}
	}
	return "", &compile.FeatureError{Value: layer, Reason: "the network has no such layer"}
}

const (
	// batch is the number of pictures in a run, of all runs of all passes: few,
	// as memory goes with it, yet enough to keep the processor busy.
	batch = 8
	// chunkBytes bounds the size of an object in the store, unless a single run
	// gives more, and chunkPictures what a killed pass has to do again.
	chunkBytes    = 64 << 20
	chunkPictures = 1024
	// format is part of the key of a pass: raise it when the objects change.
	format = 1
)

// pass is a Spec made ready.
type pass struct {
	Spec
	program *compile.Program
	key     string
	values  []Value
	chunk   int   // pictures per chunk, a multiple of batch
	size    int64 // of all features
}

func newPass(s Spec) (*pass, error) {
	if len(s.Values) == 0 || s.Pictures < 1 {
		return nil, errors.New("features: there are no values or no pictures")
	}
	p := &pass{Spec: s}
	channels, height, width, crop := s.Data.Geometry()
	if crop > 0 {
		height, width = crop, crop
	}
	mean, scale := s.Data.Normalisation()
	var err error
	p.program, err = compile.Features(s.Model, s.Values, compile.Options{
		Batch: batch, Channels: channels, Height: height, Width: width, Mean: mean, Scale: scale,
	})
	if err != nil {
		return nil, err
	}
	largest := 1
	for i, out := range p.program.Graph.Outputs {
		v := Value{Name: s.Values[i], Shape: slices.Clone(out.Shape[1:]), row: onnx.NumElements(out.Shape[1:]), at: p.size}
		p.values = append(p.values, v)
		p.size += v.Bytes() * int64(s.Pictures)
		largest = max(largest, v.row)
	}
	p.chunk = min(max(chunkBytes/4/largest/batch*batch, batch), chunkPictures)
	p.key, err = p.identify()
	return p, err
}

// Key names the pass: it is the same just where the features are. It is a hex
// SHA-256.
func (s Spec) Key() (string, error) {
	p, err := newPass(s)
	if err != nil {
		return "", err
	}
	return p.key, nil
}

// Size is the number of bytes of all features.
func (s Spec) Size() (int64, error) {
	p, err := newPass(s)
	if err != nil {
		return 0, err
	}
	return p.size, nil
}

// Memory is what the pass is predicted to take where the features have to be
// computed, in bytes, beside the network itself.
func (s Spec) Memory() (int64, error) {
	p, err := newPass(s)
	if err != nil {
		return 0, err
	}
	f, err := footprint.Of(p.program.Graph)
	if err != nil {
		return 0, err
	}
	outputs := batch * p.size / int64(s.Pictures)
	return f.Session() + f.Arena() + outputs, nil
}

// identify hashes everything that determines the features.
func (p *pass) identify() (string, error) {
	graph, err := onnx.Encode(p.program.Graph)
	if err != nil {
		return "", fmt.Errorf("features: %w", err)
	}
	h := sha256.New()
	h.Write(graph)
	for _, s := range p.program.State {
		if err := binary.Write(h, binary.LittleEndian, p.Model.Initializer(s.Param).F32()); err != nil {
			return "", fmt.Errorf("features: hash %s: %w", s.Param, err)
		}
	}
	text, err := json.Marshal(map[string]any{
		"format": format, "network": hex.EncodeToString(h.Sum(nil)), "pack": p.Pack, "pictures": p.Pictures,
		"preprocessing": p.Preprocessing, "engine": p.Engine, "device": p.Device, "threads": p.Threads,
	})
	if err != nil {
		return "", fmt.Errorf("features: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
