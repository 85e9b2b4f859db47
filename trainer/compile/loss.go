package compile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// lossRule is one row of the table of losses.
type lossRule struct {
	// each is the loss of every sample by itself, [N], from the scores.
	each func(s *step) onnx.Value
	// link are the operators that lead from a score to what the Softmax of the
	// evaluation takes; see Link.
	link []string
}

// losses is the table. With s the scores of a sample, c its label, p = softmax(s)
// and y the one-hot vector of c (d = 2y - 1):
//
//	softmax               -ln p_c; with label smoothing e, -sum_k ((1-e)·y_k + e/K)·ln p_k
//	                      (Szegedy et al. 2016, arXiv:1512.00567, section 7)
//	focal                 -(1-p_c)^gamma · ln p_c (Lin et al. 2017, arXiv:1708.02002, on the
//	                      probability of the class)
//	hinge                 sum_k max(0, 1 - d_k·s_k), one linear SVM per class against the
//	                      rest, as Caffe's HingeLoss with norm L1
//	squared_hinge         sum_k max(0, 1 - d_k·s_k)², norm L2
//	binary_cross_entropy  -sum_k ln sigmoid(d_k·s_k), as Caffe's SigmoidCrossEntropyLoss
//	mean_squared_error    sum_k (s_k - y_k)² / K
var losses = map[string]lossRule{
	"binary_cross_entropy": {each: (*step).binaryCrossEntropy, link: []string{"Neg", "Softplus", "Neg"}},
	"focal":                {each: (*step).focal},
	"hinge":                {each: func(s *step) onnx.Value { return s.sumOver(s.margins()) }},
	"mean_squared_error":   {each: (*step).meanSquaredError},
	"softmax":              {}, // softmaxLoss
	"squared_hinge": {each: func(s *step) onnx.Value {
		m := s.margins()
		return s.sumOver(s.Op("Mul", nil, m, m))
	}},
}

// Losses lists the losses in alphabetical order.
func Losses() []string { return slices.Sorted(maps.Keys(losses)) }

// Link lists the operators, applied one after the other, that make of the scores
// under a loss the values whose Softmax are the class probabilities. There are
// none but for binary_cross_entropy: there they take the logarithm of the
// sigmoid, so that the probabilities are the classes' own sigmoids, brought to
// the sum 1 as by one-vs-rest classifiers elsewhere. For hinge, squared_hinge and
// mean_squared_error the Softmax of the scores keeps their order, but is no
// calibrated probability.
func Link(loss string) []string { return losses[loss].link }

// lossError says that there is no loss of a name.
type lossError struct{ name string }

func (e *lossError) Error() string { return fmt.Sprintf("there is no loss %q", e.name) }

// Hint lists those that there are.
func (e *lossError) Hint() string { return "use one of " + strings.Join(Losses(), ", ") }

// ExitCode marks the error as one of the input.
func (e *lossError) ExitCode() int { return 2 }

// writeLoss is the sum over the samples of weight times loss, of shape [].
func (s *step) writeLoss() onnx.Value {
	defer s.Scope("loss")()
	rule := losses[s.o.Loss]
	if rule.each == nil {
		return s.softmaxLoss()
	}
	weighted := s.Op("Mul", nil, rule.each(s), s.weights)
	return s.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, weighted, s.Ints(0))
}

// softmaxLoss is the cross-entropy -sum_i weights_i · sum_k q_ik·log p_ik, q the
// one-hot label, smoothed. LogSoftmax subtracts each row's maximum before it
// takes exponentials, so that no score is too large.
func (s *step) softmaxLoss() onnx.Value {
	logP := s.Op("LogSoftmax", onnx.Attrs{"axis": int64(1)}, s.logits)
	target := s.oneHot()
	if e := s.o.LabelSmoothing; e != 0 {
		target = s.Op("Add", nil, s.Op("Mul", nil, target, s.Scalar(1-e)), s.Scalar(e/float64(s.o.Classes)))
	}
	share := s.Op("Mul", nil, target, s.Op("Reshape", nil, s.weights, s.Ints(s.o.Batch, 1)))
	sum := s.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, s.Op("Mul", nil, logP, share), s.Ints(0, 1))
	return s.Op("Neg", nil, sum)
}

// focal takes 1-p_c as the sum of the other probabilities, which loses no
// digits, and at least 2^-24: from there on a power below 1 would have an
// infinite slope.
func (s *step) focal() onnx.Value {
	logP := s.Op("LogSoftmax", onnx.Attrs{"axis": int64(1)}, s.logits)
	label := s.oneHot()
	others := s.Op("Sub", nil, s.Scalar(1), label)
	rest := s.sumOver(s.Op("Mul", nil, s.Op("Exp", nil, logP), others))
	factor := s.Op("Pow", nil, s.Op("Max", nil, rest, s.Scalar(0x1p-24)), s.Scalar(s.o.FocalGamma))
	own := s.sumOver(s.Op("Mul", nil, logP, label))
	return s.Op("Neg", nil, s.Op("Mul", nil, factor, own))
}

// margins are max(0, 1 - d·s), [N, classes].
func (s *step) margins() onnx.Value {
	return s.Op("Relu", nil, s.Op("Sub", nil, s.Scalar(1), s.Op("Mul", nil, s.signs(), s.logits)))
}

func (s *step) binaryCrossEntropy() onnx.Value {
	away := s.Op("Neg", nil, s.Op("Mul", nil, s.signs(), s.logits))
	return s.sumOver(s.Op("Softplus", nil, away))
}

func (s *step) meanSquaredError() onnx.Value {
	off := s.Op("Sub", nil, s.logits, s.oneHot())
	sum := s.sumOver(s.Op("Mul", nil, off, off))
	return s.Op("Mul", nil, sum, s.Scalar(1/float64(s.o.Classes)))
}

// oneHot are the labels as rows of zeros with a one, [N, classes].
func (s *step) oneHot() onnx.Value {
	n, classes := s.o.Batch, s.o.Classes
	numbers := onnx.NewTensor(onnx.Int64, 1, classes)
	for c := range classes {
		numbers.I64()[c] = int64(c)
	}
	isLabel := s.Op("Equal", nil, s.Op("Reshape", nil, s.labels, s.Ints(n, 1)), s.Const(numbers))
	return s.Op("Cast", onnx.Attrs{"to": int64(onnx.Float)}, isLabel)
}

// signs are 1 at each label and -1 elsewhere, [N, classes].
func (s *step) signs() onnx.Value {
	twice := s.Op("Mul", nil, s.oneHot(), s.Scalar(2))
	return s.Op("Sub", nil, twice, s.Scalar(1))
}

// sumOver adds up the classes: [N, classes] to [N].
func (s *step) sumOver(v onnx.Value) onnx.Value {
	return s.Op("ReduceSum", onnx.Attrs{"keepdims": int64(0)}, v, s.Ints(1))
}
