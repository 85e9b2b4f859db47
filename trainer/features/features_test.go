package features

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"orchestrator/trainer"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
	"orchestrator/trainer/ort/orttest"
	"orchestrator/trainer/rng"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pictures are noise of 3 × 40 × 36 pixels, seen through a crop of 32.
type pictures struct{ bytes [][]uint8 }

const (
	height, width, crop = 40, 36, 32
	channels            = 3
)

func newPictures(n int) *pictures {
	d := &pictures{}
	r := rng.New(1, "pictures")
	for range n {
		p := make([]uint8, channels*height*width)
		for k := range p {
			p[k] = uint8(r.IntN(256))
		}
		d.bytes = append(d.bytes, p)
	}
	return d
}

func (d *pictures) Label(int) int                 { return 0 }
func (d *pictures) File(i int) string             { return fmt.Sprintf("%d.png", i) }
func (d *pictures) Geometry() (c, h, w, side int) { return channels, height, width, crop }
func (d *pictures) Normalisation() (mean, scale []float32) {
	return []float32{120, 110, 100}, []float32{0.02, 0.02, 0.03}
}

func (d *pictures) Window(dst []uint8, sample, top, left int, mirror bool) error {
	if mirror || top != (height-crop)/2 || left != (width-crop)/2 {
		return errors.New("not the central crop")
	}
	for c := range channels {
		for y := range crop {
			copy(dst[(c*crop+y)*crop:][:crop], d.bytes[sample][(c*height+top+y)*width+left:][:crop])
		}
	}
	return nil
}

// memory is a Store that a test can look into and damage.
type memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	lost    int                    // Creates that found the key taken
	before  func(key string) error // called at the begin of each Create; may fail it
}

func (m *memory) Read(_ context.Context, key string, use func(io.Reader) error) (bool, error) {
	m.mu.Lock()
	data, ok := m.objects[key]
	m.mu.Unlock()
	if !ok {
		return false, nil
	}
	return true, use(bytes.NewReader(data))
}

func (m *memory) Create(_ context.Context, key string, data io.ReaderAt, size int64) (bool, error) {
	if m.before != nil {
		if err := m.before(key); err != nil {
			return false, err
		}
	}
	content, err := io.ReadAll(io.NewSectionReader(data, 0, size))
	if err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, taken := m.objects[key]; taken {
		m.lost++
		return false, nil
	}
	m.objects[key] = content
	return true, nil
}

// counting counts the runs of its sessions.
type counting struct {
	trainer.Runtime
	runs int
}

func (c *counting) Open(g *onnx.Graph) (trainer.Session, error) {
	s, err := c.Runtime.Open(g)
	return &countingSession{s, c}, err
}

type countingSession struct {
	trainer.Session
	c *counting
}

func (s *countingSession) Run(inputs, outputs []*onnx.Tensor) error {
	s.c.runs++
	return s.Session.Run(inputs, outputs)
}

func newCounting(t *testing.T) *counting {
	return &counting{Runtime: trainer.RuntimeOf(orttest.New(t, 1))}
}

// tiny is a pass over the layers of a small network.
func tiny(t *testing.T, n int, layers ...string) Spec {
	t.Helper()
	model, err := builtin.Model("tinynet", 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	s := Spec{Model: model, Data: newPictures(n), Pictures: n, Pack: "pack", Preprocessing: "noise", Engine: "1", Device: "cpu", Threads: 1}
	for _, l := range layers {
		v, err := ValueOf(model, l)
		if err != nil {
			t.Fatal(err)
		}
		s.Values = append(s.Values, v)
	}
	return s
}

func open(t *testing.T, s Spec, o Options) *Set {
	t.Helper()
	set, err := Open(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return set
}

// rows are all features, as bits.
func rows(s *Set) []uint32 {
	var out []uint32
	for i := range s.Values() {
		for p := range s.Pictures() {
			for _, x := range s.Row(i, p) {
				out = append(out, math.Float32bits(x))
			}
		}
	}
	return out
}

// evaluated are a picture's features on the slow evaluator.
func evaluated(t *testing.T, s Spec, picture int) [][]float64 {
	t.Helper()
	mean, scale := s.Data.Normalisation()
	p, err := compile.Features(s.Model, s.Values, compile.Options{Batch: 1, Channels: channels, Height: crop, Width: crop, Mean: mean, Scale: scale})
	if err != nil {
		t.Fatal(err)
	}
	images := onnx.NewTensor(onnx.Uint8, 1, channels, crop, crop)
	if err := s.Data.Window(images.Data.([]uint8), picture, (height-crop)/2, (width-crop)/2, false); err != nil {
		t.Fatal(err)
	}
	feed := map[string]*onnxeval.Array{"images": onnxeval.FromTensor(images)}
	for _, slot := range p.State {
		feed[slot.Name] = onnxeval.FromTensor(s.Model.Initializer(slot.Param))
	}
	out, err := onnxeval.Run(p.Graph, feed)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]float64
	for _, v := range s.Values {
		all = append(all, out[compile.FeatureOutput(v)].Data)
	}
	return all
}

func TestFeaturesAreWhatTheLayersAnswer(t *testing.T) {
	s := tiny(t, 21, "conv1", "pool1", "conv2", "fc") // 21: the last run is padded
	set := open(t, s, Options{Runtime: newCounting(t), CacheDir: t.TempDir()})
	for _, picture := range []int{0, 7, 8, 20} {
		want := evaluated(t, s, picture)
		for i, v := range set.Values() {
			got := set.Row(i, picture)
			if len(got) != len(want[i]) || onnx.NumElements(v.Shape) != len(got) {
				t.Fatalf("%s: %d numbers of shape %v, not %d", v.Name, len(got), v.Shape, len(want[i]))
			}
			for k := range got {
				if d := math.Abs(float64(got[k]) - want[i][k]); d > 1e-5*(1+math.Abs(want[i][k])) {
					t.Fatalf("picture %d, %s[%d]: %v instead of %v", picture, v.Name, k, got[k], want[i][k])
				}
			}
		}
	}
}

// store is a filled store, and the bits that are in it.
func store(t *testing.T, s Spec) (*memory, []uint32) {
	t.Helper()
	m := &memory{objects: map[string][]byte{}}
	return m, rows(open(t, s, Options{Runtime: newCounting(t), CacheDir: t.TempDir(), Store: m}))
}

// On a device with a memory of its own the weights go there once.
func TestFeaturesOnADevice(t *testing.T) {
	device := orttest.OwnMemory(t, 1)
	s := tiny(t, 21, "conv1", "fc")
	want := open(t, s, Options{Runtime: newCounting(t), CacheDir: t.TempDir()})
	got := open(t, s, Options{Runtime: trainer.RuntimeOf(device), CacheDir: t.TempDir()})
	for picture := range 21 {
		for i := range want.Values() {
			if !slices.Equal(got.Row(i, picture), want.Row(i, picture)) {
				t.Errorf("picture %d: value %d is another one on the device", picture, i)
			}
		}
	}
	weights := int64(0)
	for _, p := range s.Model.Initializers {
		weights += 4 * int64(onnx.NumElements(p.Shape))
	}
	channels, _, _, crop := s.Data.Geometry()
	pictures := int64(3 * batch * channels * crop * crop) // three runs
	if sent := device.Traffic().ToDevice; sent > weights+pictures {
		t.Errorf("%d bytes were sent, of %d weights and %d of pictures", sent, weights, pictures)
	}
}

func TestFeaturesAreComputedOnce(t *testing.T) {
	s := tiny(t, 2*chunkPictures+21, "conv2")
	m, want := store(t, s)
	if n := len(m.objects); n != 2*3 {
		t.Errorf("%d objects for three chunks of one value", n)
	}
	rt, dir := newCounting(t), t.TempDir()
	if got := rows(open(t, s, Options{Runtime: rt, CacheDir: dir, Store: m})); !slices.Equal(got, want) {
		t.Error("features from the store have other bits")
	}
	if got := rows(open(t, s, Options{Runtime: rt, CacheDir: dir, Store: &memory{before: func(string) error { return errors.New("the store was asked") }}})); !slices.Equal(got, want) {
		t.Error("features from the cache have other bits")
	}
	if rt.runs != 0 {
		t.Errorf("%d runs for features that are there", rt.runs)
	}
}

// Every write to the store may be the last one that a killed process made.
func TestInterruptedPassGoesOn(t *testing.T) {
	s := tiny(t, chunkPictures+21, "pool1", "conv2")
	m, want := store(t, s)
	whole := len(m.objects)
	for kill := range whole {
		m := &memory{objects: map[string][]byte{}}
		m.before = func(string) error {
			if len(m.objects) == kill {
				return errors.New("killed")
			}
			return nil
		}
		dir := t.TempDir()
		if _, err := Open(t.Context(), s, Options{Runtime: newCounting(t), CacheDir: dir, Store: m}); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("killed before write %d: %v", kill, err)
		}
		m.before = nil
		rt := newCounting(t)
		if got := rows(open(t, s, Options{Runtime: rt, CacheDir: dir, Store: m})); !slices.Equal(got, want) {
			t.Errorf("killed before write %d: other bits", kill)
		}
		first, second := chunkPictures/batch, 3
		runs := first + second
		if kill >= whole/2 {
			runs = second
		}
		if rt.runs != runs {
			t.Errorf("killed before write %d: %d runs instead of %d", kill, rt.runs, runs)
		}
	}
}

func TestTwoHostsEndWithTheSameFeatures(t *testing.T) {
	s := tiny(t, 40, "conv2")
	m, want := store(t, s)
	other := &memory{objects: map[string][]byte{}}
	// The first host stores everything just as the second one is about to.
	other.before = func(string) error {
		other.mu.Lock()
		defer other.mu.Unlock()
		for k, v := range m.objects {
			other.objects[k] = v
		}
		return nil
	}
	rt := newCounting(t)
	if got := rows(open(t, s, Options{Runtime: rt, CacheDir: t.TempDir(), Store: other})); !slices.Equal(got, want) {
		t.Error("other bits")
	}
	if rt.runs != 5 || other.lost != 2 {
		t.Errorf("%d runs, %d writes discarded, instead of 5 and 2", rt.runs, other.lost)
	}
}

// biased adds a little to all that is computed, as another processor might.
type biased struct{ trainer.Runtime }

func (b biased) Open(g *onnx.Graph) (trainer.Session, error) {
	s, err := b.Runtime.Open(g)
	return biasedSession{s}, err
}

type biasedSession struct{ trainer.Session }

func (s biasedSession) Run(inputs, outputs []*onnx.Tensor) error {
	err := s.Session.Run(inputs, outputs)
	for _, o := range outputs {
		for i := range o.F32() {
			o.F32()[i] += 1e-6
		}
	}
	return err
}

func TestWhatIsStoredFirstCounts(t *testing.T) {
	s := tiny(t, 40, "conv2")
	m, want := store(t, s)
	other := &memory{objects: map[string][]byte{}}
	other.before = func(key string) error {
		if strings.HasSuffix(key, ".json") { // the objects of both are stored, the record of one
			other.mu.Lock()
			defer other.mu.Unlock()
			for k, v := range m.objects {
				other.objects[k] = v
			}
		}
		return nil
	}
	got := rows(open(t, s, Options{Runtime: biased{newCounting(t)}, CacheDir: t.TempDir(), Store: other}))
	if !slices.Equal(got, want) {
		t.Error("a host that was second uses its own features")
	}
}

func TestProcessesOfOneMachineComputeOnce(t *testing.T) {
	s, dir, rt := tiny(t, 200, "conv2"), t.TempDir(), newCounting(t)
	sets := make([]*Set, 4)
	var wait sync.WaitGroup
	for i := range sets {
		wait.Go(func() {
			var err error
			if sets[i], err = Open(t.Context(), s, Options{Runtime: rt, CacheDir: dir}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for _, set := range sets {
		if !slices.Equal(rows(set), rows(sets[0])) {
			t.Error("other bits")
		}
		defer set.Close()
	}
	if rt.runs != 200/batch {
		t.Errorf("%d runs instead of %d", rt.runs, 200/batch)
	}
}

func TestDamagedObjectsAreComputedAgain(t *testing.T) {
	s := tiny(t, 40, "conv2")
	damages := map[string]func(m *memory, key string){
		"a bit":     func(m *memory, key string) { m.objects[key] = slices.Clone(m.objects[key]); m.objects[key][5] ^= 1 },
		"too short": func(m *memory, key string) { m.objects[key] = m.objects[key][:100] },
		"missing":   func(m *memory, key string) { delete(m.objects, key) },
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			m, want := store(t, s)
			for key := range m.objects {
				if strings.HasSuffix(key, ".f32") {
					damage(m, key)
				}
			}
			rt := newCounting(t)
			if got := rows(open(t, s, Options{Runtime: rt, CacheDir: t.TempDir(), Store: m})); !slices.Equal(got, want) {
				t.Error("other bits")
			}
			if rt.runs != 5 {
				t.Errorf("%d runs instead of 5", rt.runs)
			}
			var damaged *DamagedError
			m, _ = store(t, s)
			for key := range m.objects {
				if strings.HasSuffix(key, ".f32") {
					damage(m, key)
				}
			}
			_, err := Open(t.Context(), s, Options{Runtime: biased{newCounting(t)}, CacheDir: t.TempDir(), Store: m})
			if !errors.As(err, &damaged) || !strings.Contains(damaged.Hint(), Prefix(mustKey(t, s))) {
				t.Errorf("on a machine that computes other bits: %v", err)
			}
		})
	}
}

func mustKey(t *testing.T, s Spec) string {
	t.Helper()
	key, err := s.Key()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeyHoldsWhatFeaturesDependOn(t *testing.T) {
	s := tiny(t, 10, "conv2")
	keys := map[string]string{mustKey(t, s): "as it is"}
	if again := tiny(t, 10, "conv2"); mustKey(t, again) != mustKey(t, s) {
		t.Error("the same pass has two keys")
	}
	head := s
	head.Model = s.Model.Clone()
	w := *head.Model.Initializer("fc.weight")
	w.Data = make([]float32, len(w.F32()))
	*head.Model.Initializer("fc.weight") = w
	if mustKey(t, head) != mustKey(t, s) {
		t.Error("a layer above the features is in their key")
	}
	for name, change := range map[string]func(s *Spec){
		"pack":          func(s *Spec) { s.Pack = "other" },
		"preprocessing": func(s *Spec) { s.Preprocessing = "other" },
		"engine":        func(s *Spec) { s.Engine = "2" },
		"device":        func(s *Spec) { s.Device = "cuda" },
		"threads":       func(s *Spec) { s.Threads = 2 },
		"pictures":      func(s *Spec) { s.Pictures = 9 },
		"values":        func(s *Spec) { s.Values = tiny(t, 1, "conv1", "conv2").Values },
		"weights": func(s *Spec) {
			s.Model = s.Model.Clone()
			w := *s.Model.Initializer("conv1.weight")
			w.Data = slices.Clone(w.F32())
			w.F32()[0]++
			*s.Model.Initializer("conv1.weight") = w
		},
	} {
		changed := s
		change(&changed)
		if before, taken := keys[mustKey(t, changed)]; taken {
			t.Errorf("%s: the key is that of %s", name, before)
		}
		keys[mustKey(t, changed)] = name
	}
}

func TestWhatIsNoFeature(t *testing.T) {
	s := tiny(t, 10)
	if _, err := ValueOf(s.Model, "conv7"); err == nil || !strings.Contains(err.Error(), "no such layer") {
		t.Errorf("a layer that is not there: %v", err)
	}
	s.Values = []string{"conv7"}
	var refused *compile.FeatureError
	if _, err := s.Key(); !errors.As(err, &refused) {
		t.Errorf("a value that is not there: %v", err)
	}
	s.Model = s.Model.Clone()
	s.Model.Initializers = append(s.Model.Initializers, &onnx.Tensor{Name: "all", Type: onnx.Int64, Shape: []int{2}, Data: []int64{-1, 16}})
	s.Model.Nodes = append(s.Model.Nodes, &onnx.Node{Name: "mixed", Op: "Reshape", Inputs: []string{s.Model.Nodes[0].Outputs[0], "all"}, Outputs: []string{"mixed"}})
	s.Values = []string{"mixed"}
	if _, err := s.Key(); !errors.As(err, &refused) || !strings.Contains(refused.Error(), "no row for each") {
		t.Errorf("a value without a row per picture: %v", err)
	}
}

func TestStopsWhenAsked(t *testing.T) {
	s, dir := tiny(t, 100, "conv2"), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	var reported []int
	_, err := Open(ctx, s, Options{Runtime: newCounting(t), CacheDir: dir, Report: func(done, total int) {
		reported = append(reported, done, total)
		if done == 3*batch {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || !slices.Equal(reported, []int{8, 100, 16, 100, 24, 100}) {
		t.Errorf("%v after %v", err, reported)
	}
	open(t, s, Options{Runtime: newCounting(t), CacheDir: dir})
}
