package onnxeval

import (
	"math/rand/v2"
	"slices"

	"orchestrator/trainer/onnx"
)

// sample draws one node with inputs that suit it, and writes it into a Builder.
type sample struct {
	*rand.Rand
	*onnx.Builder
	inputs []*onnx.Tensor // in the order of the graph's inputs
}

func newSample(seed uint64, name string) *sample {
	return &sample{Rand: rand.New(rand.NewPCG(seed, 1)), Builder: onnx.NewBuilder(name)}
}

// between is an integer in [low, high].
func (s *sample) between(low, high int) int { return low + s.IntN(high-low+1) }

func (s *sample) flag() int64 { return int64(s.IntN(2)) }

func (s *sample) dims(rank int) []int {
	out := make([]int, rank)
	for i := range out {
		out[i] = s.between(1, 4)
	}
	return out
}

func pick[T any](s *sample, from ...T) T { return from[s.IntN(len(from))] }

// in declares an input of floats in [low, high).
func (s *sample) in(low, high float64, shape ...int) onnx.Value {
	t := onnx.NewTensor(onnx.Float, slices.Clone(shape)...)
	data := t.F32()
	for i := range data {
		data[i] = float32(low + s.Float64()*(high-low))
	}
	return s.declare(t)
}

func (s *sample) x(shape ...int) onnx.Value { return s.in(-2, 2, shape...) }

// indices declares an input of int64 in [low, high).
func (s *sample) indices(low, high int, shape ...int) onnx.Value {
	t := onnx.NewTensor(onnx.Int64, shape...)
	data := t.I64()
	for i := range data {
		data[i] = int64(s.between(low, high-1))
	}
	return s.declare(t)
}

// bools declares an input of truth values.
func (s *sample) bools(shape ...int) onnx.Value {
	t := onnx.NewTensor(onnx.Bool, shape...)
	data := t.Data.([]bool)
	for i := range data {
		data[i] = s.IntN(2) == 1
	}
	return s.declare(t)
}

func (s *sample) declare(t *onnx.Tensor) onnx.Value {
	name := "in" + string(rune('a'+len(s.inputs)))
	s.inputs = append(s.inputs, t)
	return s.Input(name, t.Type, t.Shape...)
}

// pair draws two shapes that broadcast.
func (s *sample) pair() (a, b []int) {
	full := s.dims(s.between(0, 4))
	part := func() []int {
		var out []int
		out = append(out, full[s.IntN(len(full)+1):]...)
		for i := range out {
			if s.IntN(3) == 0 {
				out[i] = 1
			}
		}
		return out
	}
	return part(), part()
}

// window draws the attributes of a convolution or pool over rank axes.
func (s *sample) window(rank int, dilate bool) (onnx.Attrs, []int) {
	attrs, kernel := onnx.Attrs{}, make([]int, rank)
	var strides, dilations, begin, end []int64
	for i := range kernel {
		kernel[i] = s.between(1, 3)
		strides = append(strides, int64(s.between(1, 3)))
		d := 1
		if dilate {
			d = s.between(1, 2)
		}
		dilations = append(dilations, int64(d))
		begin = append(begin, int64(s.IntN(kernel[i])))
		end = append(end, int64(s.IntN(kernel[i])))
	}
	attrs["kernel_shape"], attrs["strides"] = toInt64s(kernel), strides
	switch mode := pick(s, "", "", "", "SAME_UPPER", "SAME_LOWER", "VALID"); mode {
	case "":
		attrs["pads"] = append(begin, end...)
		if dilate {
			attrs["dilations"] = dilations
		}
	default:
		// ONNX Runtime refuses dilations beside auto_pad, and takes a negative
		// pad in a pool where the stride is larger than the kernel.
		attrs["auto_pad"] = mode
		for i, k := range kernel {
			strides[i] = min(strides[i], int64(k))
		}
	}
	return attrs, kernel
}

// roundUp sets ceil_mode half of the time, but not where ONNX Runtime 1.24 errs:
// it drops windows that would begin behind the input, yet its shape inference
// counts them; and with count_include_pad it divides the last window by the size
// of the whole kernel (corrected in later versions).
func (s *sample) roundUp(attrs onnx.Attrs, kernel []int) {
	pads, ok := attrs["pads"].([]int64)
	if !ok || attrs["count_include_pad"] == int64(1) || s.flag() == 0 {
		return
	}
	clear(pads[len(kernel):])
	attrs["ceil_mode"] = int64(1)
	strides := attrs["strides"].([]int64)
	for i, k := range kernel {
		strides[i] = min(strides[i], int64(k))
	}
}

func (s *sample) picture(channels, rank int) []int {
	shape := []int{s.between(1, 2), channels}
	for range rank {
		shape = append(shape, s.between(5, 9))
	}
	return shape
}

// generators draw a node of each operator and return its outputs.
var generators = map[string]func(s *sample, op string) []onnx.Value{
	"Conv": func(s *sample, op string) []onnx.Value {
		rank, groups := s.between(1, 3), s.between(1, 2)
		perGroup, maps := s.between(1, 2), groups*s.between(1, 2)
		attrs, kernel := s.window(rank, true)
		attrs["group"] = int64(groups)
		in := []onnx.Value{s.x(s.picture(groups*perGroup, rank)...), s.x(append([]int{maps, perGroup}, kernel...)...)}
		if s.flag() == 1 {
			in = append(in, s.x(maps))
		}
		return s.OpN(op, attrs, 1, in...)
	},
	"ConvTranspose": func(s *sample, op string) []onnx.Value {
		rank, groups := s.between(1, 2), s.between(1, 2)
		channels, perGroup := groups*s.between(1, 2), s.between(1, 2)
		attrs, kernel := s.window(rank, true)
		attrs["group"] = int64(groups)
		shape := s.picture(channels, rank)
		strides := (&onnx.Node{Attrs: attrs}).Ints("strides")
		var extra []int64
		for _, stride := range strides {
			extra = append(extra, int64(s.IntN(stride)))
		}
		if attrs["auto_pad"] == nil {
			attrs["output_padding"] = extra
		}
		return s.OpN(op, attrs, 1, s.x(shape...), s.x(append([]int{channels, perGroup}, kernel...)...), s.x(groups*perGroup))
	},
	"MaxPool": func(s *sample, op string) []onnx.Value {
		rank := s.between(1, 3)
		attrs, kernel := s.window(rank, true)
		s.roundUp(attrs, kernel)
		return s.OpN(op, attrs, 2, s.x(s.picture(2, rank)...))
	},
	"AveragePool": func(s *sample, op string) []onnx.Value {
		rank := s.between(1, 3)
		attrs, kernel := s.window(rank, false)
		attrs["count_include_pad"] = s.flag()
		s.roundUp(attrs, kernel)
		return s.OpN(op, attrs, 1, s.x(s.picture(2, rank)...))
	},
	"LpPool": func(s *sample, op string) []onnx.Value {
		rank := s.between(1, 2)
		attrs, _ := s.window(rank, false)
		attrs["p"] = int64(s.between(1, 3))
		return s.OpN(op, attrs, 1, s.x(s.picture(2, rank)...))
	},
	"GlobalAveragePool": onPicture(nil), "GlobalMaxPool": onPicture(nil),
	"LRN": onPicture(func(s *sample) onnx.Attrs {
		// ONNX Runtime takes odd sizes only.
		return onnx.Attrs{"size": pick[int64](s, 1, 3, 5), "alpha": float32(0.5), "beta": float32(0.75), "bias": float32(2)}
	}),
	"BatchNormalization": func(s *sample, op string) []onnx.Value {
		attrs, n := onnx.Attrs{"epsilon": float32(0.01), "momentum": float32(0.7)}, 1
		if s.flag() == 1 {
			attrs["training_mode"], n = int64(1), 3
		}
		return s.OpN(op, attrs, n, s.x(s.picture(3, 2)...), s.x(3), s.x(3), s.x(3), s.in(0.5, 2, 3))
	},
	"InstanceNormalization": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"epsilon": float32(0.01)}, 1, s.x(s.picture(3, 2)...), s.x(3), s.x(3))
	},
	"LayerNormalization": func(s *sample, op string) []onnx.Value {
		shape := s.dims(3)
		ax := s.IntN(3)
		return s.OpN(op, onnx.Attrs{"axis": int64(ax), "epsilon": float32(0.1)}, 1, s.x(shape...), s.x(shape[ax:]...), s.x(shape[ax:]...))
	},
	"LpNormalization": onAxis(func(s *sample) onnx.Attrs { return onnx.Attrs{"p": int64(s.between(1, 2))} }),
	"MatMul": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		m, k, n := s.between(1, 4), s.between(1, 4), s.between(1, 4)
		switch s.IntN(5) {
		case 0:
			return s.OpN(op, nil, 1, s.x(k), s.x(append(b, k, n)...))
		case 1:
			return s.OpN(op, nil, 1, s.x(append(a, m, k)...), s.x(k))
		}
		return s.OpN(op, nil, 1, s.x(append(a, m, k)...), s.x(append(b, k, n)...))
	},
	"Gemm": func(s *sample, op string) []onnx.Value {
		m, k, n := s.between(1, 4), s.between(1, 4), s.between(1, 4)
		a, b := []int{m, k}, []int{k, n}
		attrs := onnx.Attrs{"transA": s.flag(), "transB": s.flag(), "alpha": float32(0.5), "beta": float32(2)}
		if attrs["transA"] == int64(1) {
			a = []int{k, m}
		}
		if attrs["transB"] == int64(1) {
			b = []int{n, k}
		}
		return s.OpN(op, attrs, 1, s.x(a...), s.x(b...), s.x(pick(s, []int{n}, []int{m, n}, []int{1}, []int{m, 1}, []int{})...))
	},
	"com.microsoft.FusedMatMul": func(s *sample, op string) []onnx.Value {
		m, k, n, batch := s.between(1, 4), s.between(1, 4), s.between(1, 4), s.between(1, 3)
		attrs := onnx.Attrs{"transA": s.flag(), "transB": s.flag(), "alpha": float32(0.5)}
		operand := func(rows, columns int, trans any) onnx.Value {
			if trans == int64(1) {
				rows, columns = columns, rows
			}
			return s.x(batch, rows, columns)
		}
		return s.OpN(op, attrs, 1, operand(m, k, attrs["transA"]), operand(k, n, attrs["transB"]))
	},
	"Einsum": func(s *sample, op string) []onnx.Value {
		b, i, j, k := s.between(1, 3), s.between(1, 3), s.between(1, 3), s.between(1, 3)
		switch s.IntN(3) {
		case 0:
			return s.OpN(op, onnx.Attrs{"equation": "bij,bjk->bik"}, 1, s.x(b, i, j), s.x(b, j, k))
		case 1:
			return s.OpN(op, onnx.Attrs{"equation": "ij,kj"}, 1, s.x(i, j), s.x(k, j))
		}
		return s.OpN(op, onnx.Attrs{"equation": "bij->j"}, 1, s.x(b, i, j))
	},

	"Relu": onAny(nil), "LeakyRelu": onAny(alpha(0.3)), "ThresholdedRelu": onAny(alpha(0.5)), "Elu": onAny(alpha(0.7)), "Celu": onAny(alpha(0.7)),
	"Selu": onAny(nil), "Sigmoid": onAny(nil), "HardSigmoid": onAny(alpha(0.3)), "HardSwish": onAny(nil), "Tanh": onAny(nil), "Softplus": onAny(nil),
	"Softsign": onAny(nil), "Mish": onAny(nil), "com.microsoft.Gelu": onAny(nil), "Identity": onAny(nil), "Abs": onAny(nil), "Neg": onAny(nil),
	"Sign": onAny(nil), "Exp": onAny(nil), "Erf": onAny(nil), "Sin": onAny(nil), "Cos": onAny(nil), "Floor": onAny(nil), "Ceil": onAny(nil), "Round": onAny(nil),
	"Reciprocal": onPositive, "Sqrt": onPositive, "Log": onPositive,
	"PRelu": func(s *sample, op string) []onnx.Value {
		shape := s.dims(3)
		return s.OpN(op, nil, 1, s.x(shape...), s.x(pick(s, shape, shape[1:], []int{1}, []int{shape[1], 1})...))
	},
	"Clip": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, nil, 1, s.x(s.dims(2)...), pick(s, onnx.Value{}, s.Scalar(-0.5)), s.Scalar(0.7))
	},
	"Cast": func(s *sample, op string) []onnx.Value {
		to := pick(s, onnx.Int64, onnx.Bool, onnx.Int32, onnx.Double)
		return s.OpN(op, onnx.Attrs{"to": int64(to)}, 1, s.x(s.dims(2)...))
	},
	"Softmax": onAxis(nil), "LogSoftmax": onAxis(nil),
	"Dropout": onAny(nil),
	"Not":     func(s *sample, op string) []onnx.Value { return s.OpN(op, nil, 1, s.bools(s.dims(2)...)) },

	"Add": onPair, "Sub": onPair, "Mul": onPair, "Min": onPair, "Max": onPair, "Sum": onPair, "Mean": onPair,
	"Equal": onPair, "Less": onPair, "LessOrEqual": onPair, "Greater": onPair, "GreaterOrEqual": onPair,
	"And": onBools, "Or": onBools, "Xor": onBools,
	"Div": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		if s.flag() == 1 {
			return s.OpN(op, nil, 1, s.indices(-9, 10, a...), s.indices(1, 5, b...))
		}
		return s.OpN(op, nil, 1, s.x(a...), s.in(0.5, 2, b...))
	},
	"Mod": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		if s.flag() == 1 {
			return s.OpN(op, nil, 1, s.indices(-9, 10, a...), s.indices(-5, 0, b...))
		}
		return s.OpN(op, onnx.Attrs{"fmod": int64(1)}, 1, s.x(a...), s.in(0.5, 2, b...))
	},
	"Pow": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		return s.OpN(op, nil, 1, s.in(0.5, 2, a...), s.x(b...))
	},
	"Where": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		return s.OpN(op, nil, 1, s.bools(a...), s.x(b...), s.x(1))
	},

	"ReduceSum": onReduction, "ReduceMean": onReduction, "ReduceMax": onReduction, "ReduceMin": onReduction, "ReduceProd": onReduction,
	"ReduceL1": onReduction, "ReduceL2": onReduction, "ReduceSumSquare": onReduction, "ReduceLogSum": onReduction, "ReduceLogSumExp": onReduction,
	"ArgMax": onAxis(func(s *sample) onnx.Attrs { return onnx.Attrs{"keepdims": s.flag(), "select_last_index": s.flag()} }),
	"ArgMin": onAxis(func(s *sample) onnx.Attrs { return onnx.Attrs{"keepdims": s.flag()} }),
	"CumSum": func(s *sample, op string) []onnx.Value {
		ax := s.Const(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{int64(s.IntN(2))}})
		return s.OpN(op, onnx.Attrs{"exclusive": s.flag(), "reverse": s.flag()}, 1, s.x(s.dims(2)...), ax)
	},

	"Shape": onAny(nil), "Size": onAny(nil),
	"Reshape": func(s *sample, op string) []onnx.Value {
		a, b := s.between(1, 3), s.between(1, 3)
		return s.OpN(op, nil, 1, s.x(a, b, 4), pick(s, s.Ints(0, -1), s.Ints(-1, 2), s.Ints(2, 0, -1), s.Ints(-1)))
	},
	"Flatten": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"axis": int64(s.between(-3, 3))}, 1, s.x(s.dims(3)...))
	},
	"Transpose": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"perm": toInt64s(s.Perm(4))}, 1, s.x(s.dims(4)...))
	},
	"Squeeze": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, nil, 1, s.x(1, s.between(2, 3), 1), pick(s, onnx.Value{}, s.Ints(0), s.Ints(-1), s.Ints(0, 2)))
	},
	"Unsqueeze": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, nil, 1, s.x(s.dims(2)...), pick(s, s.Ints(0), s.Ints(-1), s.Ints(1, 3), s.Ints(0, -1)))
	},
	"Expand": func(s *sample, op string) []onnx.Value {
		a, b := s.pair()
		return s.OpN(op, nil, 1, s.x(a...), s.Ints(append([]int{2}, s.fit(a, b)...)...))
	},
	"Tile": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, nil, 1, s.x(s.dims(3)...), s.Ints(s.dims(3)...))
	},
	"Concat": func(s *sample, op string) []onnx.Value {
		shape, ax := s.dims(3), s.IntN(3)
		var parts []onnx.Value
		for range s.between(1, 3) {
			shape[ax] = s.between(1, 3)
			parts = append(parts, s.x(shape...))
		}
		return s.OpN(op, onnx.Attrs{"axis": int64(ax - 3)}, 1, parts...)
	},
	"Split": func(s *sample, op string) []onnx.Value {
		if s.flag() == 1 {
			return s.OpN(op, onnx.Attrs{"axis": int64(1), "num_outputs": int64(2)}, 2, s.x(2, s.between(2, 5)))
		}
		a, b := s.between(1, 3), s.between(1, 3)
		return s.OpN(op, onnx.Attrs{"axis": int64(-2)}, 2, s.x(a+b, 3), s.Ints(a, b))
	},
	"Slice": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, nil, 1, s.x(6, 5), s.Ints(s.between(-8, 8), s.between(-7, 7)), s.Ints(s.between(-8, 8), s.between(-7, 7)),
			s.Ints(0, -1), s.Ints(pick(s, 1, 2, -1, -2), pick(s, 1, 3, -1, -3)))
	},
	"Pad": func(s *sample, op string) []onnx.Value {
		mode := pick(s, "constant", "reflect", "edge")
		pads := s.Ints(s.IntN(3), s.IntN(3), s.IntN(3), s.IntN(3))
		return s.OpN(op, onnx.Attrs{"mode": mode}, 1, s.x(3, 4), pads, pick(s, onnx.Value{}, s.Scalar(0.5)))
	},
	"DepthToSpace": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"blocksize": int64(2), "mode": pick(s, "DCR", "CRD")}, 1, s.x(2, 8, 2, 3))
	},
	"SpaceToDepth": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"blocksize": int64(2)}, 1, s.x(2, 2, 4, 6))
	},
	"Trilu": func(s *sample, op string) []onnx.Value {
		k := s.Const(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{int64(s.between(-3, 3))}})
		return s.OpN(op, onnx.Attrs{"upper": s.flag()}, 1, s.x(2, 3, 4), k)
	},
	"Resize": func(s *sample, op string) []onnx.Value {
		attrs := onnx.Attrs{
			"mode":                           pick(s, "nearest", "linear"),
			"coordinate_transformation_mode": pick(s, "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"),
			"nearest_mode":                   pick(s, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
		}
		sizes := s.Ints(1, 2, s.between(1, 9), s.between(1, 9))
		return s.OpN(op, attrs, 1, s.x(1, 2, 4, 4), onnx.Value{}, onnx.Value{}, sizes)
	},

	"Gather": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"axis": int64(s.between(-2, 1))}, 1, s.x(4, 4, 4), s.indices(-4, 4, s.dims(s.IntN(3))...))
	},
	"GatherElements": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"axis": int64(s.between(-2, 1))}, 1, s.x(4, 4), s.indices(-4, 4, s.between(1, 4), s.between(1, 4)))
	},
	"GatherND": func(s *sample, op string) []onnx.Value {
		if s.flag() == 1 {
			return s.OpN(op, onnx.Attrs{"batch_dims": int64(1)}, 1, s.x(2, 3, 3, 2), s.indices(-3, 3, 2, 2, s.between(1, 2)))
		}
		return s.OpN(op, nil, 1, s.x(3, 3, 2), s.indices(-3, 3, 2, s.between(1, 2)))
	},
	"ScatterElements": func(s *sample, op string) []onnx.Value {
		// Without a reduction the indices must differ.
		if s.flag() == 1 {
			return s.OpN(op, nil, 1, s.x(4), s.Ints(s.Perm(4)[:2]...), s.x(2))
		}
		attrs := onnx.Attrs{"axis": int64(s.between(-2, 1)), "reduction": pick(s, "add", "mul", "max", "min")}
		return s.OpN(op, attrs, 1, s.x(4, 4), s.indices(-4, 4, 3, 2), s.x(3, 2))
	},
	"ScatterND": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"reduction": pick(s, "add", "mul", "max", "min")}, 1, s.x(3, 2), s.indices(-3, 3, 4, 1), s.x(4, 2))
	},
	"OneHot": func(s *sample, op string) []onnx.Value {
		depth := s.Const(onnx.Ints(4))
		return s.OpN(op, onnx.Attrs{"axis": int64(s.between(-2, 1))}, 1, s.indices(-4, 6, 3), depth, s.Const(onnx.Floats([]float32{-1, 2}, 2)))
	},
	"ConstantOfShape": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"value": onnx.Floats([]float32{0.5}, 1)}, 1, s.Ints(s.dims(2)...))
	},
	"Range": func(s *sample, op string) []onnx.Value {
		number := func(x int) onnx.Value {
			return s.Const(&onnx.Tensor{Type: onnx.Int64, Shape: []int{}, Data: []int64{int64(x)}})
		}
		return s.OpN(op, nil, 1, number(s.between(-3, 3)), number(s.between(4, 9)), number(s.between(1, 3)))
	},
	"Constant": func(s *sample, op string) []onnx.Value {
		return s.OpN(op, onnx.Attrs{"value": onnx.Floats([]float32{0.5, 2}, 2)}, 1)
	},
}

// fit makes b a target that a expands to.
func (s *sample) fit(a, b []int) []int {
	shape := commonShape(a, b)
	if len(shape) == 0 {
		return []int{s.between(1, 3)}
	}
	return shape
}

func alpha(x float32) func(s *sample) onnx.Attrs {
	return func(*sample) onnx.Attrs { return onnx.Attrs{"alpha": x} }
}

func attrsOf(s *sample, attrs func(s *sample) onnx.Attrs) onnx.Attrs {
	if attrs == nil {
		return onnx.Attrs{}
	}
	return attrs(s)
}

// onAny feeds an array of any rank.
func onAny(attrs func(s *sample) onnx.Attrs) func(*sample, string) []onnx.Value {
	return func(s *sample, op string) []onnx.Value {
		return s.OpN(op, attrsOf(s, attrs), 1, s.x(s.dims(s.IntN(5))...))
	}
}

func onPicture(attrs func(s *sample) onnx.Attrs) func(*sample, string) []onnx.Value {
	return func(s *sample, op string) []onnx.Value {
		return s.OpN(op, attrsOf(s, attrs), 1, s.x(s.picture(s.between(1, 6), 2)...))
	}
}

func onAxis(attrs func(s *sample) onnx.Attrs) func(*sample, string) []onnx.Value {
	return func(s *sample, op string) []onnx.Value {
		rank := s.between(1, 4)
		a := attrsOf(s, attrs)
		a["axis"] = int64(s.between(-rank, rank-1))
		return s.OpN(op, a, 1, s.x(s.dims(rank)...))
	}
}

func onPositive(s *sample, op string) []onnx.Value {
	return s.OpN(op, nil, 1, s.in(0.2, 3, s.dims(2)...))
}

func onPair(s *sample, op string) []onnx.Value {
	a, b := s.pair()
	return s.OpN(op, nil, 1, s.x(a...), s.x(b...))
}

func onBools(s *sample, op string) []onnx.Value {
	a, b := s.pair()
	return s.OpN(op, nil, 1, s.bools(a...), s.bools(b...))
}

func onReduction(s *sample, op string) []onnx.Value {
	rank := s.between(1, 4)
	in := []onnx.Value{s.in(0.1, 2, s.dims(rank)...)}
	if s.IntN(4) > 0 {
		axes := s.Perm(rank)[:s.between(1, rank)]
		axes[0] -= rank * s.IntN(2)
		in = append(in, s.Ints(axes...))
	}
	return s.OpN(op, onnx.Attrs{"keepdims": s.flag()}, 1, in...)
}
