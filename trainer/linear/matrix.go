package linear

import (
	"errors"
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Matrix is Rows × Cols numbers, row by row.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// NewMatrix is a matrix of zeros.
func NewMatrix(rows, cols int) *Matrix {
	return &Matrix{Rows: rows, Cols: cols, Data: make([]float64, rows*cols)}
}

// Row is a view of a row.
func (m *Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

func (m *Matrix) general() blas64.General {
	return blas64.General{Rows: m.Rows, Cols: m.Cols, Stride: max(1, m.Cols), Data: m.Data}
}

// pick copies some rows.
func (m *Matrix) pick(rows []int) *Matrix {
	out := NewMatrix(len(rows), m.Cols)
	for i, r := range rows {
		copy(out.Row(i), m.Row(r))
	}
	return out
}

// Compress returns rows with the same inner products as n rows of d features:
// the features themselves where d is at most n, and otherwise at most n numbers
// for each row. row(i) is read in pieces, and as often as d has pieces: it may be
// a view of a mapped file.
func Compress(n, d int, row func(i int) []float32) (*Matrix, error) {
	if d > n {
		return Factor(Gram(n, d, row))
	}
	out := NewMatrix(n, d)
	for i := range n {
		widen(out.Row(i), row(i))
	}
	return out, nil
}

func widen(dst []float64, src []float32) {
	for k, x := range src {
		dst[k] = float64(x)
	}
}

const (
	gramColumns = 2048 // features in memory at a time: 16 kB a row
	gramRows    = 64   // tile of the result
)

// Gram is the n × n matrix of the inner products of n rows of d features. It
// holds 2048 features of each row at a time beside the result.
func Gram(n, d int, row func(i int) []float32) *Matrix {
	g := NewMatrix(n, n)
	buffer := make([]float64, n*gramColumns)
	for from := 0; from < d; from += gramColumns {
		to := min(from+gramColumns, d)
		piece := &Matrix{Rows: n, Cols: to - from, Data: buffer[:n*(to-from)]}
		for i := range n {
			widen(piece.Row(i), row(i)[from:to])
		}
		g.addProducts(piece)
	}
	for i := range n {
		for j := range i {
			g.Data[j*n+i] = g.Data[i*n+j]
		}
	}
	return g
}

// addProducts adds the inner products of x's rows to the lower triangle of m. A
// tile is one goroutine's, so that the sums are the same however many there are.
func (m *Matrix) addProducts(x *Matrix) {
	var running sync.WaitGroup
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	rows := func(of *Matrix, from int) blas64.General {
		to := min(from+gramRows, of.Rows)
		return (&Matrix{Rows: to - from, Cols: of.Cols, Data: of.Data[from*of.Cols : to*of.Cols]}).general()
	}
	for i := 0; i < m.Rows; i += gramRows {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			for j := 0; j <= i; j += gramRows {
				a, b, c := rows(x, i), rows(x, j), rows(m, i)
				c.Data, c.Cols = c.Data[j:], b.Rows
				blas64.Gemm(blas.NoTrans, blas.Trans, 1, a, b, 1, c)
			}
		})
	}
	running.Wait()
}

// Factor returns Z with Z Zᵀ = gram, a column for each eigenvalue that is not
// lost in rounding, the largest first. The columns are orthogonal, which makes
// the Hessians of the fits nearly diagonal.
func Factor(gram *Matrix) (*Matrix, error) {
	n := gram.Rows
	for _, x := range gram.Data {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, errors.New("the features hold a number that is not finite")
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(n, gram.Data), true) {
		return nil, errors.New("the eigenvalues of the features' inner products were not found")
	}
	values := eigen.Values(nil) // ascending
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	rank := 0
	for rank < n && values[n-1-rank] > 1e-14*values[n-1] {
		rank++
	}
	z := NewMatrix(n, rank)
	for k := range rank {
		scale := math.Sqrt(values[n-1-k])
		for i := range n {
			z.Data[i*rank+k] = scale * vectors.At(i, n-1-k)
		}
	}
	return z, nil
}
