package compile

import "orchestrator/trainer/onnx"

// mask is what a Dropout multiplies by. Bits go to a device in a thirty-second of
// the time that floats take, which of SqueezeNet's masks are twice the pictures; so
// they are taken apart there: bit k of a byte b is floor(b/2^k) - 2·floor(b/2^(k+1)),
// all of whose numbers the smallest type has.
func (n *network) mask(m Mask) onnx.Value {
	in := n.Named(m.Input)
	if !m.Bits {
		return in
	}
	defer n.Scope("mask")()
	rows, bytes, size := m.Shape[0], m.Value().Shape[1], onnx.NumElements(m.Shape[1:])
	shifts := onnx.NewTensor(onnx.Float, 1, 1, 8)
	for k := range 8 {
		shifts.F32()[k] = 1 / float32(int(1)<<k)
	}
	b := n.Op("Cast", onnx.Attrs{"to": int64(onnx.Float)}, n.Op("Reshape", nil, in, n.Ints(rows, bytes, 1)))
	shifted := n.Op("Floor", nil, n.Op("Mul", nil, b, n.Const(shifts)))
	above := n.Op("Floor", nil, n.Op("Mul", nil, shifted, n.Scalar(0.5)))
	bits := n.Op("Sub", nil, shifted, n.Op("Add", nil, above, above))
	bits = n.Op("Reshape", nil, bits, n.Ints(rows, 8*bytes))
	if size%8 != 0 {
		bits = n.Op("Slice", nil, bits, n.Ints(0), n.Ints(size), n.Ints(1))
	}
	return n.Op("Reshape", nil, n.Op("Mul", nil, bits, n.Scalar(float64(m.Keep()))), n.Ints(m.Shape...))
}
