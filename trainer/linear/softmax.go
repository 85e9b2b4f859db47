package linear

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// logistic is the objective at one point. θ holds a row for each score: the
// weights, then the bias. Two classes have one score, that of class 1 against a
// constant 0.
type logistic struct {
	*Problem
	c      float64
	scores int
	p      *Matrix // n × scores: the probabilities at the last point
}

// softmax fits by Newton's method, whose steps are found by conjugate gradients
// and shortened until the objective falls (Nocedal and Wright, Numerical
// Optimization, chapter 7).
func (p *Problem) softmax(c float64, from *Fit) *Fit {
	o := &logistic{Problem: p, c: c, scores: p.classes}
	if p.classes == 2 {
		o.scores = 1
	}
	o.p = NewMatrix(p.x.Rows, o.scores)
	theta := NewMatrix(o.scores, p.x.Cols+1)
	if from != nil {
		copy(theta.Data, from.weights.Data)
	}
	f := &Fit{Classifier: Softmax, C: c, classes: p.classes, weights: theta}
	o.minimise(f)
	if o.scores > 1 {
		centreBiases(theta)
	}
	return f
}

// centreBiases has the biases of several scores add up to 0, as all scores may
// rise alike without any effect.
func centreBiases(theta *Matrix) {
	mean := 0.0
	for k := range theta.Rows {
		mean += theta.Row(k)[theta.Cols-1] / float64(theta.Rows)
	}
	for k := range theta.Rows {
		theta.Row(k)[theta.Cols-1] -= mean
	}
}

func (o *logistic) minimise(f *Fit) {
	const most = 200
	for f.Objective = o.value(f.weights); f.Iterations < most; f.Iterations++ {
		gradient := o.gradient(f.weights)
		step := o.newton(gradient)
		f.Gap = -dot(gradient.Data, step.Data) / 2
		if f.Gap <= Tolerance*f.Objective {
			f.Converged = true
			return
		}
		if !o.descend(f, step) {
			return // rounding hides what is left
		}
	}
}

// descend moves along a step, halved until the objective falls by a fair part of
// what it promises.
func (o *logistic) descend(f *Fit, step *Matrix) bool {
	trial := NewMatrix(step.Rows, step.Cols)
	for size := 1.0; size > 1e-10; size /= 2 {
		for i := range trial.Data {
			trial.Data[i] = f.weights.Data[i] + size*step.Data[i]
		}
		if value := o.value(trial); value <= f.Objective-1e-4*size*2*f.Gap {
			copy(f.weights.Data, trial.Data)
			f.Objective = value
			return true
		}
	}
	return false
}

// value is the objective, and leaves the probabilities in o.p.
func (o *logistic) value(theta *Matrix) float64 {
	o.multiply(theta, o.p)
	loss := 0.0
	for i, label := range o.y {
		loss += softmaxInPlace(o.p.Row(i), label)
	}
	return o.c*loss + o.penalty(theta)
}

func (o *logistic) penalty(theta *Matrix) float64 {
	sum := 0.0
	for k := range o.scores {
		w := theta.Row(k)[:o.x.Cols]
		sum += dot(w, w)
	}
	return sum / 2
}

// softmaxInPlace turns scores into probabilities and returns -ln of the label's.
func softmaxInPlace(s []float64, label int) float64 {
	if len(s) == 1 { // of class 1, against 0
		z := s[0]
		s[0] = 1 / (1 + math.Exp(-z))
		if label == 1 {
			z = -z
		}
		return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
	}
	top := s[argmax(s)]
	sum, own := 0.0, s[label]
	for k := range s {
		s[k] = math.Exp(s[k] - top)
		sum += s[k]
	}
	for k := range s {
		s[k] /= sum
	}
	return math.Log(sum) + top - own
}

// gradient uses the probabilities that value left.
func (o *logistic) gradient(theta *Matrix) *Matrix {
	residuals := NewMatrix(o.p.Rows, o.scores)
	copy(residuals.Data, o.p.Data)
	for i, label := range o.y {
		if o.scores > 1 {
			residuals.Row(i)[label]--
		} else {
			residuals.Row(i)[0] -= float64(label)
		}
	}
	return o.pullBack(residuals, theta)
}

// multiply puts the scores of all rows into out.
func (o *logistic) multiply(theta, out *Matrix) {
	d := o.x.Cols
	w := blas64.General{Rows: o.scores, Cols: d, Stride: d + 1, Data: theta.Data}
	for i := range o.x.Rows {
		for k := range o.scores {
			out.Row(i)[k] = theta.Row(k)[d]
		}
	}
	if o.scores == 1 {
		blas64.Gemv(blas.NoTrans, 1, o.x.general(), vector(theta.Data[:d]), 1, vector(out.Data))
		return
	}
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, o.x.general(), w, 1, out.general())
}

// pullBack is C times the sum over the rows of their features times r, plus the
// weights of base.
func (o *logistic) pullBack(r, base *Matrix) *Matrix {
	d := o.x.Cols
	out := NewMatrix(o.scores, d+1)
	for k := range o.scores {
		copy(out.Row(k)[:d], base.Row(k))
		for i := range r.Rows {
			out.Row(k)[d] += o.c * r.Row(i)[k]
		}
	}
	if o.scores == 1 {
		blas64.Gemv(blas.Trans, o.c, o.x.general(), vector(r.Data), 1, vector(out.Data[:d]))
		return out
	}
	w := blas64.General{Rows: o.scores, Cols: d, Stride: d + 1, Data: out.Data}
	blas64.Gemm(blas.Trans, blas.NoTrans, o.c, r.general(), o.x.general(), 1, w)
	return out
}

// curve is the Hessian times v.
func (o *logistic) curve(v, u *Matrix) *Matrix {
	o.multiply(v, u)
	for i := range u.Rows {
		p, row := o.p.Row(i), u.Row(i)
		if o.scores == 1 {
			row[0] *= p[0] * (1 - p[0])
			continue
		}
		mean := dot(p, row)
		for k := range row {
			row[k] = p[k] * (row[k] - mean)
		}
	}
	return o.pullBack(u, v)
}

// diagonal is that of the Hessian; conjugate gradients are preconditioned by it.
func (o *logistic) diagonal() *Matrix {
	d := o.x.Cols
	out := NewMatrix(o.scores, d+1)
	for k := range o.scores {
		row := out.Row(k)
		for j := range d {
			row[j] = 1
		}
		for i := range o.p.Rows {
			weight := o.c * o.p.Row(i)[k] * (1 - o.p.Row(i)[k])
			for j, x := range o.x.Row(i) {
				row[j] += weight * x * x
			}
			row[d] += weight
		}
		row[d] = math.Max(row[d], math.SmallestNonzeroFloat32)
	}
	return out
}

// newton solves Hessian · step = -gradient by conjugate gradients, more exactly
// the nearer the minimum is.
func (o *logistic) newton(gradient *Matrix) *Matrix {
	step := NewMatrix(gradient.Rows, gradient.Cols)
	diagonal, u := o.diagonal(), NewMatrix(o.p.Rows, o.scores)
	r := make([]float64, len(step.Data)) // -gradient - Hessian · step
	z := make([]float64, len(r))
	for i, g := range gradient.Data {
		r[i] = -g
		z[i] = r[i] / diagonal.Data[i]
	}
	direction := &Matrix{Rows: step.Rows, Cols: step.Cols, Data: append([]float64(nil), z...)}
	rz := dot(r, z)
	enough := rz * 1e-4 // a residual of 1 % in the preconditioned norm
	most := 2*len(r) + 10
	for n := 0; n < most && rz > enough; n++ {
		h := o.curve(direction, u)
		curvature := dot(direction.Data, h.Data)
		if curvature <= 0 { // rounding: the objective is convex
			break
		}
		size := rz / curvature
		for i := range r {
			step.Data[i] += size * direction.Data[i]
			r[i] -= size * h.Data[i]
			z[i] = r[i] / diagonal.Data[i]
		}
		next := dot(r, z)
		for i := range z {
			direction.Data[i] = z[i] + next/rz*direction.Data[i]
		}
		rz = next
	}
	return step
}

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Data: x, Inc: 1} }

func dot(a, b []float64) float64 { return blas64.Dot(vector(a), vector(b)) }
