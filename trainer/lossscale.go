package trainer

import (
	"fmt"
	"math"

	"orchestrator/trainer/onnx"
)

// LossScale is the factor that the gradients of a job in float16 have while they
// are of that type, which has no numbers below 2^-24 (see package compile). It is
// halved after a step whose gradients were not finite, which is skipped, and doubled
// after growAfter steps without one (Micikevicius et al. 2018, arXiv:1710.03740,
// section 3.2; the numbers are those of PyTorch's GradScaler).
type LossScale struct {
	Factor  float64 `json:"factor"`        // a power of two between 1 and mostScale; 0: the job has none
	Good    int     `json:"good_steps"`    // since it was changed
	Skipped int     `json:"skipped_steps"` // of the epoch under way
}

const (
	firstScale = 1 << 16
	growAfter  = 2000
	// mostScale keeps a job whose gradients are all zero from a scale that is infinite.
	// With it float16 reaches as far down as to 2^-48.
	mostScale = 1 << 24
)

// scaled tells whether the job's gradients have a scale.
func (j *Job) scaled() bool { return j.Precision == "float16" }

// firstLossScale is what the job begins with.
func (j *Job) firstLossScale() LossScale {
	if j.scaled() {
		return LossScale{Factor: firstScale}
	}
	return LossScale{}
}

// check refuses what no job has.
func (s LossScale) check() error {
	fraction, _ := math.Frexp(s.Factor)
	if fraction != 0.5 || s.Factor < 1 || s.Factor > mostScale || s.Good < 0 || s.Good >= growAfter || s.Skipped < 0 {
		return fmt.Errorf("the loss scale is %+v", s)
	}
	return nil
}

// good notes a step whose gradients were finite.
func (s *LossScale) good() {
	if s.Good++; s.Good == growAfter {
		s.Factor, s.Good = min(2*s.Factor, mostScale), 0
	}
}

// bad notes a step that is skipped; false where the scale cannot be smaller.
func (s *LossScale) bad() bool {
	if s.Factor <= 1 {
		return false
	}
	s.Factor, s.Good, s.Skipped = s.Factor/2, 0, s.Skipped+1
	return true
}

// scaling is what programs with a loss scale take and tell; nil: there is none.
type scaling struct{ factor, finite *onnx.Tensor }

func newScaling(j *Job) *scaling {
	if !j.scaled() {
		return nil
	}
	return &scaling{factor: onnx.NewTensor(onnx.Float), finite: onnx.NewTensor(onnx.Bool)}
}

// bind adds the tensors to a feed, for the scale that is now.
func (s *scaling) bind(f feed, now LossScale) {
	if s != nil {
		s.factor.F32()[0] = float32(now.Factor)
		f["loss_scale"], f["finite"] = s.factor, s.finite
	}
}

// sound tells whether an update can be done with the sums of the gradients. A loss
// that is not finite has no gradients that are.
func (s *scaling) sound(loss float64) bool {
	return s == nil || s.finite.Data.([]bool)[0] && !math.IsNaN(loss) && !math.IsInf(loss, 0)
}
