package onnxeval

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// matMul is numpy.matmul: matrices in the last two axes, the others broadcast;
// a vector on the left is a row, on the right a column.
func matMul(_ *onnx.Node, in []*Array) []*Array {
	return one(product2(in[0], in[1]))
}

func product2(a, b *Array) *Array {
	check(len(a.Shape) > 0 && len(b.Shape) > 0, "a scalar has no matrix product")
	row, column := len(a.Shape) == 1, len(b.Shape) == 1
	if row {
		a = reshape(a, 1, a.Shape[0])
	}
	if column {
		b = reshape(b, b.Shape[0], 1)
	}
	ra, rb := len(a.Shape)-2, len(b.Shape)-2
	m, k, cols := a.Shape[ra], a.Shape[ra+1], b.Shape[rb+1]
	check(b.Shape[rb] == k, "shapes %v and %v do not multiply", a.Shape, b.Shape)
	batch := commonShape(a.Shape[:ra], b.Shape[:rb])
	a, b = expand(a, append(slices.Clone(batch), m, k)), expand(b, append(slices.Clone(batch), k, cols))
	y := New(append(slices.Clone(batch), m, cols)...).of(a.Type)
	for p := range product(batch) {
		multiply(y.Data[p*m*cols:], a.Data[p*m*k:], b.Data[p*k*cols:], m, k, cols)
	}
	if column {
		y = reshape(y, y.Shape[:len(y.Shape)-1]...)
	}
	if row {
		at := len(batch)
		y = reshape(y, slices.Delete(slices.Clone(y.Shape), at, at+1)...)
	}
	return y
}

// multiply adds the product of a [m,k] and b [k,n] to y [m,n].
func multiply(y, a, b []float64, m, k, n int) {
	for i := range m {
		for l := range k {
			for j := range n {
				y[i*n+j] += a[i*k+l] * b[l*n+j]
			}
		}
	}
}

// gemm: Y = alpha · A' · B' + beta · C, where ' transposes if asked.
func gemm(n *onnx.Node, in []*Array) []*Array {
	a, b, c := in[0], in[1], optional(in, 2)
	check(len(a.Shape) == 2 && len(b.Shape) == 2, "Gemm of ranks %d and %d", len(a.Shape), len(b.Shape))
	if n.Int("transA", 0) != 0 {
		a = transpose(a, []int{1, 0})
	}
	if n.Int("transB", 0) != 0 {
		b = transpose(b, []int{1, 0})
	}
	alpha, beta := n.Float("alpha", 1), n.Float("beta", 1)
	y := apply(product2(a, b), func(x float64) float64 { return alpha * x })
	if c != nil {
		y = zip(y, expand(c, y.Shape), func(y, c float64) float64 { return y + beta*c })
	}
	return one(y)
}

// fusedMatMul is com.microsoft.FusedMatMul: alpha · MatMul(A', B'). transA swaps
// the last two axes; transBatchA first moves the leading axis behind the batch
// axes.
func fusedMatMul(n *onnx.Node, in []*Array) []*Array {
	alpha := n.Float("alpha", 1)
	a := fusedOperand(in[0], n.Int("transA", 0) != 0, n.Int("transBatchA", 0) != 0)
	b := fusedOperand(in[1], n.Int("transB", 0) != 0, n.Int("transBatchB", 0) != 0)
	return one(apply(product2(a, b), func(x float64) float64 { return alpha * x }))
}

func fusedOperand(x *Array, trans, transBatch bool) *Array {
	rank := len(x.Shape)
	if rank < 2 {
		return x
	}
	perm := make([]int, rank)
	for i := range perm {
		perm[i] = i
	}
	if transBatch {
		perm = slices.Insert(perm[1:], rank-2, 0)
	}
	if trans {
		perm[rank-2], perm[rank-1] = perm[rank-1], perm[rank-2]
	}
	return transpose(x, perm)
}
