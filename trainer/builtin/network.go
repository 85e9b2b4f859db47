package builtin

import (
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/surgery"
)

// network writes a template layer by layer; each layer reads the one before it.
type network struct {
	g     *onnx.Graph
	seed  int64
	shape []int // of the last layer's output, without the batch
	last  string
}

// input declares the picture, a square of three channels.
func (n *network) input(side int) {
	n.last, n.shape = "data", []int{3, side, side}
	n.g.Inputs = []onnx.Value{{Name: n.last, Type: onnx.Float, Shape: []int{onnx.Batch, 3, side, side}}}
}

// layer adds a node that reads the last output, and further constants.
func (n *network) layer(name, op string, attrs onnx.Attrs, constants ...*onnx.Tensor) {
	node := &onnx.Node{Name: name, Op: op, Attrs: attrs, Inputs: []string{n.last}, Outputs: []string{name}}
	for _, c := range constants {
		node.Inputs = append(node.Inputs, c.Name)
	}
	n.g.Nodes = append(n.g.Nodes, node)
	n.g.Initializers = append(n.g.Initializers, constants...)
	n.last = name
}

// kernel is a square window.
type kernel struct{ size, stride, pad, groups int }

func (k kernel) attrs() onnx.Attrs {
	return onnx.Attrs{
		"kernel_shape": twice(k.size), "strides": twice(k.stride),
		"pads": append(twice(k.pad), twice(k.pad)...),
	}
}

func twice(x int) []int64 { return []int64{int64(x), int64(x)} }

// slide is the output size along one axis.
func (k kernel) slide(size int, roundUp bool) int {
	room := size + 2*k.pad - k.size
	if roundUp {
		room += k.stride - 1
	}
	return room/k.stride + 1
}

// conv convolves and applies ReLU: layers convN and reluN.
func (n *network) conv(number string, maps int, k kernel, init surgery.Init) {
	name := "conv" + number
	perGroup := n.shape[0] / k.groups
	attrs := k.attrs()
	attrs["group"] = int64(k.groups)
	n.layer(name, "Conv", attrs,
		init.Weights(n.seed, name+".weight", perGroup*k.size*k.size, maps, perGroup, k.size, k.size),
		init.Biases(name+".bias", maps))
	n.shape = []int{maps, k.slide(n.shape[1], false), k.slide(n.shape[2], false)}
	n.layer("relu"+number, "Relu", nil)
}

// convNorm convolves without a bias, normalises over the batch and applies ReLU:
// layers convN, bnN and reluN.
func (n *network) convNorm(number string, maps int, k kernel, init surgery.Init) {
	name, norm := "conv"+number, "bn"+number
	fanIn := n.shape[0] * k.size * k.size
	n.layer(name, "Conv", k.attrs(), init.Weights(n.seed, name+".weight", fanIn, maps, n.shape[0], k.size, k.size))
	n.shape = []int{maps, k.slide(n.shape[1], false), k.slide(n.shape[2], false)}
	n.layer(norm, "BatchNormalization", onnx.Attrs{"epsilon": float32(1e-5), "momentum": float32(0.9)},
		surgery.Init{Bias: 1}.Biases(norm+".scale", maps), surgery.Init{}.Biases(norm+".bias", maps),
		statistic(norm+".mean", 0, maps), statistic(norm+".variance", 1, maps))
	n.layer("relu"+number, "Relu", nil)
}

// statistic is a running statistic of a normalisation: it moves in training,
// but is no parameter.
func statistic(name string, value float64, maps int) *onnx.Tensor {
	t := surgery.Init{Bias: value}.Biases(name, maps)
	t.Param = false
	return t
}

// maxPool rounds its output size up, as Caffe does.
func (n *network) maxPool(number string, k kernel) {
	attrs := k.attrs()
	attrs["ceil_mode"] = int64(1)
	n.layer("pool"+number, "MaxPool", attrs)
	n.shape = []int{n.shape[0], k.slide(n.shape[1], true), k.slide(n.shape[2], true)}
}

// lrn normalises across channels with Caffe's usual numbers.
func (n *network) lrn(number string) {
	n.layer("norm"+number, "LRN", onnx.Attrs{"size": int64(5), "alpha": float32(1e-4), "beta": float32(0.75), "bias": float32(1)})
}

// globalPool averages each map and leaves a vector: pictures of any size may
// be fed to what lies below.
func (n *network) globalPool() {
	n.layer("pool", "GlobalAveragePool", nil)
	n.shape = []int{n.shape[0], 1, 1}
}

func (n *network) flatten() {
	n.layer("flatten", "Flatten", onnx.Attrs{"axis": int64(1)})
	n.shape = []int{onnx.NumElements(n.shape)}
}

// full is a fully connected layer.
func (n *network) full(name string, outputs int, init surgery.Init) {
	n.layer(name, "Gemm", onnx.Attrs{"transB": int64(1)},
		init.Weights(n.seed, name+".weight", n.shape[0], outputs, n.shape[0]),
		init.Biases(name+".bias", outputs))
	n.shape = []int{outputs}
}

func (n *network) relu(name string) { n.layer(name, "Relu", nil) }

func (n *network) dropout(name string, ratio float32) {
	n.layer(name, "Dropout", nil, &onnx.Tensor{Name: name + ".ratio", Type: onnx.Float, Shape: []int{}, Data: []float32{ratio}})
}

// softmax ends the network in probabilities.
func (n *network) softmax() {
	n.layer("prob", "Softmax", onnx.Attrs{"axis": int64(-1)})
	n.g.Outputs = []onnx.Value{{Name: "prob", Type: onnx.Float, Shape: append([]int{onnx.Batch}, n.shape...)}}
}
