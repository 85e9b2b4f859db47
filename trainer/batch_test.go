package trainer

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/trainer/compile"
)

func TestPlanVisitsEverySampleOncePerEpoch(t *testing.T) {
	job := smallJob(layers{})
	var kinds []string
	visited := map[int][]int{}
	for s := range job.plan(0, 0) {
		kind := "test"
		if s.train {
			kind = "train"
			visited[s.epoch] = append(visited[s.epoch], s.samples...)
		}
		kinds = append(kinds, kind)
	}
	if want := []string{"train", "train", "train", "test", "test", "test"}; !cmp.Equal(kinds, append(want, want...)) {
		t.Errorf("order %q", kinds)
	}
	if slices.Equal(visited[0], visited[1]) {
		t.Error("two epochs have the same order")
	}
	for epoch, samples := range visited {
		slices.Sort(samples)
		if !slices.Equal(samples, job.Train) {
			t.Errorf("epoch %d visits %v", epoch, samples)
		}
	}
}

func TestPlanContinuesWhereItIsTold(t *testing.T) {
	job := smallJob(layers{})
	whole := slices.Collect(job.plan(0, 0))
	for _, start := range []struct{ epoch, step, skipped int }{{0, 1, 1}, {0, 3, 3}, {1, 0, 6}, {1, 2, 8}, {1, 3, 9}, {2, 0, 9}} {
		rest := slices.Collect(job.plan(start.epoch, start.step))
		if d := cmp.Diff(whole[start.skipped:], rest, cmp.AllowUnexported(batchSpec{}, content{})); d != "" {
			t.Errorf("from epoch %d, step %d:\n%s", start.epoch, start.step, d)
		}
	}
}

func TestShortBatchIsFilledUpWithItsOwnSamples(t *testing.T) {
	d := newPictures(10, 2)
	b := mustBatch(t, 2, 3, pictureInput(d), nil)
	if err := b.fill(batchSpec{content: content{train: true}, samples: []int{4, 7, 8}}, source{data: d, seed: 1, mirror: true}); err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1, 0, 0, 1, 0}; !cmp.Equal(b.labels.I64(), want) {
		t.Errorf("labels %v, want %v", b.labels.I64(), want)
	}
	third := float32(1) / 3
	if want := []float32{third, third, third, 0, 0, 0}; !cmp.Equal(b.weights.F32(), want) {
		t.Errorf("weights %v, want %v", b.weights.F32(), want)
	}
	pixels := b.inputs[0].Data.([]uint8)
	if half := len(pixels) / 2; !slices.Equal(pixels[:half], pixels[half:]) {
		t.Error("the rows beyond the samples do not repeat them")
	}
	if n := len(b.used()); n != 2 {
		t.Errorf("%d micro-batches hold a real sample, want 2", n)
	}
}

func TestEvaluationSeesTheCentreAndTrainingAllCrops(t *testing.T) {
	d := newPictures(1, 2)
	for crop, spare := range map[int]int{6: 2, 5: 3, 8: 0, 0: 0} {
		d.crop = crop
		mirrored := source{data: d, seed: 1, mirror: true}
		b := mustBatch(t, 1, 1, pictureInput(d), nil)
		if top, left, flip := b.window(0, mirrored); top != spare/2 || left != spare/2 || flip {
			t.Errorf("crop %d: evaluation at (%d, %d), mirrored %v", crop, top, left, flip)
		}
		seen := map[[2]int]bool{}
		flips := 0
		b.train = true
		for position := range 400 {
			top, left, flip := b.window(position, mirrored)
			seen[[2]int{top, left}] = true
			if flip {
				flips++
			}
			if top < 0 || left < 0 || top > spare || left > spare {
				t.Fatalf("crop %d at (%d, %d)", crop, top, left)
			}
		}
		if len(seen) != (spare+1)*(spare+1) || flips < 150 || flips > 250 {
			t.Errorf("crop %d: %d places, %d of 400 mirrored", crop, len(seen), flips)
		}
		if _, _, flip := b.window(0, source{data: d, seed: 1}); flip {
			t.Error("mirrored, though mirror is off")
		}
		if top, left, _ := b.window(0, source{data: d, seed: 1, center: true}); top != spare/2 || left != spare/2 {
			t.Errorf("crop %d: training at (%d, %d), though its crop is to be central", crop, top, left)
		}
	}
}

func TestAugmentationDependsOnSeedEpochAndPositionAlone(t *testing.T) {
	d := newPictures(4, 2)
	pixels := func(spec batchSpec, micro, parts int, seed int64) []uint8 {
		b := mustBatch(t, micro, parts, pictureInput(d), nil)
		if err := b.fill(spec, source{data: d, seed: seed, mirror: true}); err != nil {
			t.Fatal(err)
		}
		return b.inputs[0].Data.([]uint8)
	}
	spec := batchSpec{content: content{train: true}, epoch: 3, first: 8, samples: []int{0, 1, 2, 3}}
	want := pixels(spec, 4, 1, 5)
	if !slices.Equal(want, pixels(spec, 1, 4, 5)) {
		t.Error("micro-batches change the augmentation")
	}
	other := spec
	other.epoch = 4
	if slices.Equal(want, pixels(other, 4, 1, 5)) || slices.Equal(want, pixels(spec, 4, 1, 6)) {
		t.Error("another epoch or seed does not change the augmentation")
	}
}

// A mask drops the same elements as bits and as floats.
func TestMasksOfBits(t *testing.T) {
	m := compile.Mask{Input: "mask:a", Ratio: 0.3, Shape: []int{2, 3, 7}}
	floats := mustBatch(t, 2, 2, nil, []compile.Mask{m})
	m.Bits = true
	bits := mustBatch(t, 2, 2, nil, []compile.Mask{m})
	floats.drawMasks(9)
	bits.drawMasks(9)
	bits.drawMasks(9) // over what was there
	row := bits.masks[0].values.Data.([]uint8)
	if len(row) != 4*3 {
		t.Fatalf("4 masks of 21 elements take %d bytes", len(row))
	}
	for i, x := range floats.masks[0].values.F32() {
		bit := row[i/21*3+i%21/8]>>(i%21%8)&1 == 1
		if bit != (x != 0) {
			t.Errorf("element %d: bit %v, float %v", i, bit, x)
		}
	}
}

func TestDropoutMasks(t *testing.T) {
	const rows, width, ratio = 8, 5000, 0.3
	masks := []compile.Mask{{Input: "mask:a", Ratio: ratio, Shape: []int{rows, width}}, {Input: "mask:b", Ratio: ratio, Shape: []int{rows, width}}}
	draw := func(micro, parts, epoch, step int) []mask {
		m := slices.Clone(masks)
		for i := range m {
			m[i].Shape = []int{micro, width}
		}
		b := mustBatch(t, micro, parts, nil, m)
		b.epoch, b.step = epoch, step
		b.drawMasks(9)
		return b.masks
	}
	first := draw(rows, 1, 0, 0)
	zeros := 0
	for _, x := range first[0].values.F32() {
		switch x {
		case 0:
			zeros++
		case float32(1 / (1 - ratio)):
		default:
			t.Fatalf("mask value %v", x)
		}
	}
	// 5 standard deviations of a binomial of 40,000 draws.
	if share := float64(zeros) / (rows * width); share < ratio-0.0115 || share > ratio+0.0115 {
		t.Errorf("%v of the mask is zero, want %v", share, ratio)
	}
	same := func(a, b mask) bool { return slices.Equal(a.values.F32(), b.values.F32()) }
	if !same(first[0], draw(2, 4, 0, 0)[0]) {
		t.Error("micro-batches change the mask")
	}
	if same(first[0], first[1]) || same(first[0], draw(rows, 1, 1, 0)[0]) || same(first[0], draw(rows, 1, 0, 1)[0]) {
		t.Error("two Dropouts, epochs or steps have the same mask")
	}
}
