package caffe

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"orchestrator/trainer/builtin"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnxeval"
)

const smallDeploy = `
name: "small"   # a comment
layer { name: "data" type: "Input" top: "data" input_param { shape: { dim: 1 dim: 2 dim: 7 dim: 7 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 stride: 1 group: 2 weight_filler { type: "gaussian" std: 0.01 } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1" lrn_param { local_size: 3 alpha: 0.1 beta: 0.75 } }
layer { name: "drop1" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.3 } }
layer { name: "fc" type: "InnerProduct" bottom: "norm1" top: "fc" inner_product_param { num_output: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" include { phase: TRAIN } }
layer { name: "accuracy" type: "Accuracy" bottom: "fc" bottom: "label" top: "accuracy" exclude { phase: TRAIN } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
`

func smallModel(form blobForm) []byte {
	conv, fc := values(4*9, 1), values(3*64, 2)
	var b []byte
	b = append(b, v2Layer("conv1", "Convolution", []string{"data"}, []string{"conv1"}, param{}, blobBytes(form, conv, 4, 1, 3, 3), blobBytes(form, values(4, 3), 4))...)
	return append(b, v2Layer("fc", "InnerProduct", nil, nil, param{}, blobBytes(form, fc, 3, 64), blobBytes(form, values(3, 4), 3))...)
}

func mustImport(t *testing.T, model []byte, o Options) *onnx.Graph {
	t.Helper()
	g, err := Import(model, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A network with a deploy.prototxt: layers keep their names, weights their bits,
// however they are written, and 7 pixels are pooled to 4.
func TestImport(t *testing.T) {
	for form := range blobFormes {
		g := mustImport(t, smallModel(form), Options{Deploy: smallDeploy})
		var names []string
		for _, n := range g.Nodes {
			names = append(names, n.Name+":"+n.Op)
		}
		want := "conv1:Conv relu1:Relu pool1:MaxPool norm1:LRN drop1:Dropout fc_flatten:Flatten fc:Gemm prob:Softmax"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("layers %s\nwant   %s", got, want)
		}
		if !slices.Equal(g.Initializer("conv1.weight").F32(), values(36, 1)) || !slices.Equal(g.Initializer("fc.bias").F32(), values(3, 4)) {
			t.Errorf("form %d: the weights changed", form)
		}
		if !slices.Equal(g.Initializer("fc.weight").Shape, []int{3, 64}) || !slices.Equal(g.Outputs[0].Shape, []int{onnx.Batch, 3}) {
			t.Errorf("fc is %v, the output %v", g.Initializer("fc.weight").Shape, g.Outputs[0].Shape)
		}
		sum := 0.0
		for _, p := range answer(t, g, picture3(2, 7, 7)).Data {
			sum += p
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("the probabilities sum to %v", sum)
		}
	}
}

// A file of Caffe's first form, without a prototxt: the size is that of the crop.
func TestFirstVersion(t *testing.T) {
	var b []byte
	data := bytesField(intField(textField(textField(nil, 4, "data"), 3, "data"), 5, 5), 36, intField(nil, 3, 6))
	b = bytesField(b, 2, data)
	pool := intField(intField(intField(nil, 1, 0), 2, 3), 3, 2)
	b = append(b, v1Layer("pool", 17, "data", "pool", param{19, pool})...)
	b = append(b, v1Layer("fc", 14, "pool", "fc", param{17, intField(nil, 1, 2)}, blobBytes(unpacked, values(2*27, 1), 2, 27), blobBytes(unpacked, values(2, 2), 2))...)
	b = append(b, v1Layer("loss", 21, "fc", "loss", param{})...)
	g := mustImport(t, b, Options{})
	if !slices.Equal(g.Inputs[0].Shape, []int{onnx.Batch, 3, 6, 6}) || len(g.Nodes) != 4 || g.Nodes[3].Op != "Softmax" {
		t.Errorf("input %v, %d layers", g.Inputs[0].Shape, len(g.Nodes))
	}
}

// one imports a network of one layer and evaluates it.
func one(t *testing.T, layer string, model []byte, x *onnxeval.Array) *onnxeval.Array {
	t.Helper()
	shape := x.Shape
	deploy := fmt.Sprintf("input: \"data\" input_dim: 1 input_dim: %d input_dim: %d input_dim: %d\nlayer { name: \"l\" bottom: \"data\" top: \"l\" %s }", shape[1], shape[2], shape[3], layer)
	return answer(t, mustImport(t, model, Options{Deploy: deploy}), x)
}

// TestPooling compares sizes and values with Caffe's loops, written out.
func TestPooling(t *testing.T) {
	for _, size := range []int{5, 6, 7, 8, 13} {
		for _, w := range [][3]int{{2, 2, 0}, {3, 2, 0}, {3, 2, 1}, {3, 3, 1}, {2, 2, 1}, {3, 1, 1}, {5, 3, 2}, {2, 3, 1}} {
			for _, kind := range []string{"MAX", "AVE"} {
				kernel, stride, pad := w[0], w[1], w[2]
				if size < kernel {
					continue
				}
				x := picture3(2, size, size)
				want := pooled(x, kind, kernel, stride, pad)
				got := one(t, fmt.Sprintf(`type: "Pooling" pooling_param { pool: %s kernel_size: %d stride: %d pad: %d }`, kind, kernel, stride, pad), nil, x)
				if !slices.Equal(got.Shape, want.Shape) {
					t.Errorf("%s %v of %d: shape %v, Caffe's is %v", kind, w, size, got.Shape, want.Shape)
					continue
				}
				for i := range want.Data {
					if math.Abs(got.Data[i]-want.Data[i]) > 1e-9 {
						t.Errorf("%s %v of %d: value %d is %v, Caffe's %v", kind, w, size, i, got.Data[i], want.Data[i])
						break
					}
				}
			}
		}
	}
}

// pooled is Caffe's definition: sizes round up unless the last window begins in the
// padding behind; an average divides by the window within the padded picture.
func pooled(x *onnxeval.Array, kind string, kernel, stride, pad int) *onnxeval.Array {
	size := x.Shape[2]
	out := int(math.Ceil(float64(size+2*pad-kernel)/float64(stride))) + 1
	if pad > 0 && (out-1)*stride >= size+pad {
		out--
	}
	y := onnxeval.New(1, x.Shape[1], out, out)
	for c := range x.Shape[1] {
		for r := range out {
			for q := range out {
				top, left := r*stride-pad, q*stride-pad
				bottom, right := min(top+kernel, size+pad), min(left+kernel, size+pad)
				divisor := float64((bottom - top) * (right - left))
				best, sum := math.Inf(-1), 0.0
				for i := max(top, 0); i < min(bottom, size); i++ {
					for j := max(left, 0); j < min(right, size); j++ {
						v := x.Data[(c*size+i)*size+j]
						best, sum = max(best, v), sum+v
					}
				}
				if kind == "AVE" {
					best = sum / divisor
				}
				y.Data[(c*out+r)*out+q] = best
			}
		}
	}
	return y
}

// TestLRN: across channels and within one, by the formulas.
func TestLRN(t *testing.T) {
	x := picture3(5, 4, 4)
	across := one(t, `type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 k: 2 }`, nil, x)
	within := one(t, `type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }`, nil, x)
	squares := onnxeval.New(x.Shape...)
	for i, v := range x.Data {
		squares.Data[i] = v * v
	}
	mean := pooled(squares, "AVE", 3, 1, 1)
	for i, v := range x.Data {
		channel, place := i/16, i%16
		sum := 0.0
		for c := max(channel-1, 0); c <= min(channel+1, 4); c++ {
			sum += squares.Data[c*16+place]
		}
		if want := v * math.Pow(2+0.5/3*sum, -0.75); math.Abs(across.Data[i]-want) > 1e-6 {
			t.Fatalf("across: value %d is %v, want %v", i, across.Data[i], want)
		}
		if want := v * math.Pow(1+0.5*mean.Data[i], -0.75); math.Abs(within.Data[i]-want) > 1e-6 {
			t.Fatalf("within: value %d is %v, want %v", i, within.Data[i], want)
		}
	}
}

// TestElementwise: a formula for each layer that works on each value by itself.
func TestElementwise(t *testing.T) {
	x := picture3(2, 3, 3)
	for layer, f := range map[string]func(v float64) float64{
		`type: "ReLU"`: func(v float64) float64 { return max(v, 0) },
		`type: "ReLU" relu_param { negative_slope: 0.25 }`: func(v float64) float64 { return max(v, 0.25*v) },
		`type: "ELU" elu_param { alpha: 0.5 }`:             func(v float64) float64 { return max(v, 0.5*math.Expm1(min(v, 0))) },
		`type: "Sigmoid"`:                                  func(v float64) float64 { return 1 / (1 + math.Exp(-v)) },
		`type: "TanH"`:                                     math.Tanh,
		`type: "AbsVal"`:                                   math.Abs,
		`type: "BNLL"`:                                     func(v float64) float64 { return math.Log1p(math.Exp(v)) },
		`type: "Power" power_param { power: 2 scale: 3 shift: 1 }`: func(v float64) float64 { return (1 + 3*v) * (1 + 3*v) },
		`type: "Power"`: func(v float64) float64 { return v },
		`type: "Exp" exp_param { base: 2 scale: 0.5 shift: 1 }`: func(v float64) float64 { return math.Exp2(1 + 0.5*v) },
		`type: "Log" log_param { base: 10 scale: 2 shift: 5 }`:  func(v float64) float64 { return math.Log10(5 + 2*v) },
		`type: "Clip" clip_param { min: -0.5 max: 0.25 }`:       func(v float64) float64 { return min(max(v, -0.5), 0.25) },
		`type: "Dropout"`: func(v float64) float64 { return v },
		`type: "Eltwise" bottom: "data" eltwise_param { operation: PROD }`:      func(v float64) float64 { return v * v },
		`type: "Eltwise" bottom: "data" eltwise_param { coeff: 2 coeff: -0.5 }`: func(v float64) float64 { return 1.5 * v },
		`type: "Eltwise" bottom: "data" bottom: "data"`:                         func(v float64) float64 { return 3 * v },
	} {
		got := one(t, layer, nil, x)
		for i, v := range x.Data {
			if want := f(v); math.Abs(got.Data[i]-want) > 1e-6 {
				t.Errorf("%s: %v becomes %v, want %v", layer, v, got.Data[i], want)
				break
			}
		}
	}
}

// TestWeighted: layers with weights, by hand.
func TestWeighted(t *testing.T) {
	x := picture3(2, 3, 3)
	blobs := func(all ...[]byte) []byte { return v2Layer("l", "any", nil, nil, param{}, all...) }
	perChannel := func(f func(c int, v float64) float64) func(i int) float64 {
		return func(i int) float64 { return f(i/9, x.Data[i]) }
	}
	for _, c := range []struct {
		layer string
		model []byte
		want  func(i int) float64
	}{
		{`type: "Scale" scale_param { bias_term: true }`, blobs(blobBytes(packed, []float32{2, 3}, 2), blobBytes(packed, []float32{1, -1}, 2)),
			perChannel(func(c int, v float64) float64 { return []float64{2, 3}[c]*v + []float64{1, -1}[c] })},
		{`type: "Bias"`, blobs(blobBytes(packed, []float32{1, -1}, 2)), perChannel(func(c int, v float64) float64 { return v + []float64{1, -1}[c] })},
		{`type: "PReLU"`, blobs(blobBytes(packed, []float32{0.5, 0.25}, 2)),
			perChannel(func(c int, v float64) float64 { return max(v, []float64{0.5, 0.25}[c]*v) })},
		{`type: "PReLU" prelu_param { channel_shared: true }`, blobs(blobBytes(packed, []float32{0.5}, 1)), perChannel(func(_ int, v float64) float64 { return max(v, 0.5*v) })},
		{`type: "BatchNorm" batch_norm_param { eps: 0.001 }`, blobs(blobBytes(packed, []float32{2, 4}, 2), blobBytes(packed, []float32{8, 2}, 2), blobBytes(packed, []float32{4}, 1)),
			perChannel(func(c int, v float64) float64 {
				return (v - []float64{0.5, 1}[c]) / math.Sqrt([]float64{2, 0.5}[c]+0.001)
			})},
	} {
		got := one(t, c.layer, c.model, x)
		for i := range x.Data {
			if math.Abs(got.Data[i]-c.want(i)) > 1e-6 {
				t.Errorf("%s: value %d is %v, want %v", c.layer, i, got.Data[i], c.want(i))
				break
			}
		}
	}
	// A deconvolution with a stride of 2 spreads each value over a kernel of ones.
	ones := slices.Repeat([]float32{1}, 8)
	got := one(t, `type: "Deconvolution" convolution_param { num_output: 1 kernel_size: 2 stride: 2 bias_term: false }`, blobs(blobBytes(packed, ones, 2, 1, 2, 2)), x)
	if !slices.Equal(got.Shape, []int{1, 1, 6, 6}) || math.Abs(got.Data[6*3+4]-(x.Data[1*3+2]+x.Data[9+1*3+2])) > 1e-9 {
		t.Errorf("deconvolution %v, %v", got.Shape, got.Data[6*3+4])
	}
}

// A Scale behind a BatchNorm becomes its factor and shift, which train.
func TestBatchNormAndScale(t *testing.T) {
	deploy := `input: "data" input_shape { dim: 1 dim: 2 dim: 3 dim: 3 }
layer { name: "bn" type: "BatchNorm" bottom: "data" top: "bn" }
layer { name: "sc" type: "Scale" bottom: "bn" top: "bn" scale_param { bias_term: true } }
layer { name: "flat" type: "Flatten" bottom: "bn" top: "flat" }
layer { name: "cut" type: "Slice" bottom: "flat" top: "a" top: "b" slice_param { slice_point: 6 } }
layer { name: "again" type: "Concat" bottom: "b" bottom: "a" top: "again" }
layer { name: "shape" type: "Reshape" bottom: "again" top: "shape" reshape_param { shape { dim: 0 dim: 3 dim: -1 } } }`
	model := append(v2Layer("bn", "BatchNorm", nil, nil, param{}, blobBytes(packed, []float32{0, 0}, 2), blobBytes(packed, []float32{1, 1}, 2), blobBytes(packed, []float32{1}, 1)),
		v2Layer("sc", "Scale", nil, nil, param{}, blobBytes(packed, []float32{2, 3}, 2), blobBytes(packed, []float32{1, 1}, 2))...)
	g := mustImport(t, model, Options{Deploy: deploy})
	if scale := g.Initializer("bn.scale"); !scale.Param || !slices.Equal(scale.F32(), []float32{2, 3}) || g.Nodes[1].Name != "flat" {
		t.Errorf("scale %+v, then %s", scale, g.Nodes[1].Name)
	}
	if got := answer(t, g, picture3(2, 3, 3)).Shape; !slices.Equal(got, []int{1, 3, 6}) {
		t.Errorf("shape %v", got)
	}
}

// CaffeNet itself: its weights as a caffemodel come back bit by bit.
func TestCaffeNet(t *testing.T) {
	g, err := builtin.Model("caffenet", 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	var model []byte
	for _, n := range g.Nodes {
		if n.Op != "Conv" && n.Op != "Gemm" {
			continue
		}
		w, b := g.Initializer(n.Inputs[1]), g.Initializer(n.Inputs[2])
		model = append(model, v2Layer(n.Name, "any", nil, nil, param{}, blobBytes(packed, w.F32(), w.Shape...), blobBytes(packed, b.F32(), b.Shape...))...)
	}
	got := mustImport(t, model, Options{Deploy: caffeNetDeploy()})
	parameters := 0
	for _, p := range got.Initializers {
		if p.Param {
			parameters += onnx.NumElements(p.Shape)
			if !slices.Equal(p.F32(), g.Initializer(p.Name).F32()) {
				t.Errorf("%s changed", p.Name)
			}
		}
	}
	if parameters != 60_965_224 {
		t.Errorf("%d parameters", parameters)
	}
	for i, n := range g.Nodes {
		m := got.Nodes[i]
		if m.Op != n.Op || m.Op != "Flatten" && m.Name != n.Name || m.Int("group", 1) != n.Int("group", 1) || fmt.Sprint(m.Ints("strides")) != fmt.Sprint(n.Ints("strides")) {
			t.Errorf("layer %s %s became %s %s", n.Op, n.Name, m.Op, m.Name)
		}
	}
}

// caffeNetDeploy is CaffeNet's description, from its table.
func caffeNetDeploy() string {
	var b strings.Builder
	b.WriteString("name: \"CaffeNet\"\ninput: \"data\"\ninput_dim: 10 input_dim: 3 input_dim: 227 input_dim: 227\n")
	last := "data"
	layer := func(name, kind, settings string, inPlace bool) {
		top := name
		if inPlace {
			top = last
		}
		fmt.Fprintf(&b, "layer { name: %q type: %q bottom: %q top: %q %s }\n", name, kind, last, top, settings)
		last = top
	}
	conv := func(n, outputs, kernel, stride, pad, group int) {
		layer(fmt.Sprint("conv", n), "Convolution", fmt.Sprintf("convolution_param { num_output: %d kernel_size: %d stride: %d pad: %d group: %d }", outputs, kernel, stride, pad, group), false)
		layer(fmt.Sprint("relu", n), "ReLU", "", true)
	}
	pool := func(n int) {
		layer(fmt.Sprint("pool", n), "Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", false)
	}
	norm := func(n int) {
		layer(fmt.Sprint("norm", n), "LRN", "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }", false)
	}
	conv(1, 96, 11, 4, 0, 1)
	pool(1)
	norm(1)
	conv(2, 256, 5, 1, 2, 2)
	pool(2)
	norm(2)
	conv(3, 384, 3, 1, 1, 1)
	conv(4, 384, 3, 1, 1, 2)
	conv(5, 256, 3, 1, 1, 2)
	pool(5)
	for _, n := range []int{6, 7} {
		layer(fmt.Sprint("fc", n), "InnerProduct", "inner_product_param { num_output: 4096 }", false)
		layer(fmt.Sprint("relu", n), "ReLU", "", true)
		layer(fmt.Sprint("drop", n), "Dropout", "", true)
	}
	layer("fc8", "InnerProduct", "inner_product_param { num_output: 1000 }", false)
	layer("prob", "Softmax", "", false)
	return b.String()
}

func TestErrors(t *testing.T) {
	base := `input: "data" input_dim: 1 input_dim: 2 input_dim: 7 input_dim: 7 `
	for name, c := range map[string]struct {
		model  []byte
		deploy string
		want   string
	}{
		"not a caffemodel":  {[]byte("PK\x03\x04 nonsense"), "", "no .caffemodel"},
		"a text":            {[]byte("name: \"x\"\n"), "", "caffe: "},
		"an unknown layer":  {nil, base + `layer { name: "x" type: "SPP" bottom: "data" top: "x" }`, `layer "x" (SPP): layers of this type are not supported`},
		"a missing blob":    {nil, base + `layer { name: "fc" type: "InnerProduct" bottom: "data" top: "x" inner_product_param { num_output: 2 } }`, "it has 0 blobs of weights, and needs 1"},
		"other weights":     {smallModel(packed), strings.Replace(smallDeploy, "num_output: 4", "num_output: 6", 1), "blob 0 has 36 values, not 54"},
		"an unknown bottom": {nil, base + `layer { name: "x" type: "ReLU" bottom: "y" top: "x" }`, `nothing computes its bottom "y"`},
		"no size":           {nil, `layer { name: "x" type: "ReLU" bottom: "data" top: "x" }`, "neither file says how large the pictures are"},
		"no layers":         {nil, base, "no layers"},
		"a solver":          {nil, `base_lr: 0.01`, "no layers"},
		"an open brace":     {nil, "layer {\n name: \"x\"\n", "net.prototxt:3: a message that begins in line 1 has no closing brace"},
		"an open quote":     {nil, "name: \"x\nlayer {}", "net.prototxt:1: the text of name has no closing quote"},
		"no colon":          {nil, "name \"x\"", "the field name has no value: a colon or a brace is missing"},
		"stochastic":        {nil, base + `layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { pool: STOCHASTIC kernel_size: 2 } }`, "STOCHASTIC pooling"},
		"no number":         {nil, base + `layer { name: "l" type: "LRN" bottom: "data" top: "l" lrn_param { alpha: oops } }`, `net.prototxt:1: alpha: "oops" is not a number`},
		"a misspelt field":  {nil, base + `layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 2 strid: 2 } }`, "the field strid is not known here"},
		"a transposed blob": {v2Layer("fc", "x", nil, nil, param{}, blobBytes(packed, values(8, 1), 2, 4)), base +
			`layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { global_pooling: true } } layer { name: "fc" type: "InnerProduct" bottom: "p" top: "fc" inner_product_param { num_output: 4 bias_term: false } }`, "blob 0 has the shape [2 4], not [4 2]"},
		"a huge kernel": {nil, base + `layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 99999 } }`, "its kernel is"},
	} {
		_, err := Import(c.model, Options{Deploy: c.deploy, DeployFile: "net.prototxt"})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) || e.ExitCode() != 2 {
			t.Errorf("%s: error %v, want one about %q", name, err, c.want)
		}
	}
}

func FuzzImport(f *testing.F) {
	f.Add(smallModel(packed), smallDeploy)
	f.Add(smallModel(unpacked), "")
	f.Add([]byte{}, `input: "data" input_dim: [1, 2, 7, 7] layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { pool: AVE kernel_size: 3 pad: 1 } }`)
	f.Fuzz(func(t *testing.T, model []byte, deploy string) {
		g, err := Import(model, Options{Deploy: deploy})
		if err == nil && len(g.Nodes) == 0 {
			t.Error("an empty network was imported")
		}
	})
}

// A Scale is not folded into a BatchNorm whose answer another layer reads, too.
func TestSharedBatchNorm(t *testing.T) {
	deploy := `input: "data" input_dim: 1 input_dim: 2 input_dim: 3 input_dim: 3
layer < name: "b" "n" type: "BatchNorm" bottom: "data" top: "bn" >
layer { name: "sc" type: "Scale" bottom: "bn" top: "sc" }
layer { name: "sum" type: "Eltwise" bottom: "bn" bottom: "sc" top: "sum" }`
	model := append(v2Layer("bn", "BatchNorm", nil, nil, param{}, blobBytes(packed, []float32{0, 0}, 2), blobBytes(packed, []float32{1, 1}, 2), blobBytes(packed, []float32{1}, 1)),
		v2Layer("sc", "Scale", nil, nil, param{}, blobBytes(packed, []float32{2, 3}, 2))...)
	x := picture3(2, 3, 3)
	got := answer(t, mustImport(t, model, Options{Deploy: deploy}), x)
	for i, v := range x.Data {
		if want := []float64{3, 4}[i/9] * v / math.Sqrt(1+1e-5); math.Abs(got.Data[i]-want) > 1e-6 {
			t.Fatalf("value %d is %v, want %v", i, got.Data[i], want)
		}
	}
}

// The size is that of the crop in testing, where training has another.
func TestCropOfTesting(t *testing.T) {
	deploy := `layer { name: "d" type: "Data" top: "data" include { phase: TRAIN } transform_param { crop_size: 5 } }
layer { name: "d" type: "Data" top: "data" include { phase: TEST } transform_param { crop_size: 7 } }
layer { name: "m" type: "TanH" bottom: "data" top: "m" }`
	if g := mustImport(t, nil, Options{Deploy: deploy}); g.Inputs[0].Shape[2] != 7 {
		t.Errorf("the pictures are %v", g.Inputs[0].Shape)
	}
}
