package autodiff

import "orchestrator/trainer/onnx"

// gemm is Y = alpha·A'·B' + beta·C with A' and B' perhaps transposed.
func (e *edge) gemm(a onnx.Value, transA int, b onnx.Value, transB int, alpha float64) onnx.Value {
	return e.Op("Gemm", onnx.Attrs{"transA": int64(transA), "transB": int64(transB), "alpha": float32(alpha)}, a, b)
}

func gemmA(e *edge) onnx.Value {
	b, ta, tb := e.X(1), e.node.Int("transA", 0), e.node.Int("transB", 0)
	alpha := e.node.Float("alpha", 1)
	if ta == 0 {
		return e.gemm(e.DY(), 0, b, 1-tb, alpha)
	}
	return e.gemm(b, tb, e.DY(), 1, alpha)
}

func gemmB(e *edge) onnx.Value {
	a, ta, tb := e.X(0), e.node.Int("transA", 0), e.node.Int("transB", 0)
	alpha := e.node.Float("alpha", 1)
	if tb == 0 {
		return e.gemm(a, 1-ta, e.DY(), 0, alpha)
	}
	return e.gemm(e.DY(), 1, a, ta, alpha)
}

func gemmC(e *edge) onnx.Value { return e.Times(e.DY(), e.node.Float("beta", 1)) }

// matrices are the inputs and the gradient of a MatMul with the dimension that
// the operator adds to vectors written out.
func (e *edge) matrices() (a, b, dy onnx.Value) {
	a, b, dy = e.X(0), e.X(1), e.DY()
	batch := dy.Shape
	if a.Rank() > 1 {
		batch = batch[:len(batch)-1]
	}
	if b.Rank() > 1 {
		batch = batch[:len(batch)-1]
	}
	if a.Rank() == 1 {
		a = e.Reshape(a, 1, a.Shape[0])
	}
	if b.Rank() == 1 {
		b = e.Reshape(b, b.Shape[0], 1)
	}
	full := append(append([]int{}, batch...), a.Shape[a.Rank()-2], b.Shape[b.Rank()-1])
	return a, b, e.Reshape(dy, full...)
}

// matmulA: dY·Bᵀ. A single right-hand matrix goes through Gemm, which
// transposes for free.
func matmulA(e *edge) onnx.Value {
	a, b, dy := e.matrices()
	if b.Rank() == 2 {
		return e.Reshape(e.gemm(e.rows(dy), 0, b, 1, 1), a.Shape...)
	}
	return e.Op("MatMul", nil, dy, e.swapLast(b))
}

// matmulB: Aᵀ·dY. A single right-hand matrix goes through one Gemm over all
// rows, whose C input the update rule can then use.
func matmulB(e *edge) onnx.Value {
	a, b, dy := e.matrices()
	var db onnx.Value
	if b.Rank() == 2 {
		db = e.gemm(e.rows(a), 1, e.rows(dy), 0, 1)
	} else {
		db = e.Op("MatMul", nil, e.swapLast(a), dy)
	}
	if e.X(1).Rank() == 1 {
		return e.Reshape(db, db.Shape[:db.Rank()-1]...)
	}
	return db
}

// rows stacks the matrices of a batch into one.
func (e *edge) rows(a onnx.Value) onnx.Value {
	last := a.Shape[a.Rank()-1]
	return e.Reshape(a, a.Size()/last, last)
}

// swapLast transposes each matrix of a batch.
func (e *edge) swapLast(a onnx.Value) onnx.Value {
	perm := make([]int, a.Rank())
	for i := range perm {
		perm[i] = i
	}
	n := len(perm)
	perm[n-2], perm[n-1] = perm[n-1], perm[n-2]
	return e.Transpose(a, perm...)
}
