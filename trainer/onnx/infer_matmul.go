package onnx

import (
	"fmt"
	"strings"
)

func gemmRule(c *shapeCall) ([]Value, error) {
	a, b := c.in[0], c.in[1]
	if a.Rank() != 2 || b.Rank() != 2 {
		return nil, fmt.Errorf("inputs %v and %v must be matrices", a.Shape, b.Shape)
	}
	m, k := a.Shape[0], a.Shape[1]
	if c.n.Int("transA", 0) != 0 {
		m, k = k, m
	}
	k2, n := b.Shape[0], b.Shape[1]
	if c.n.Int("transB", 0) != 0 {
		k2, n = n, k2
	}
	if k != k2 {
		return nil, fmt.Errorf("the inner sizes of %v and %v differ", a.Shape, b.Shape)
	}
	if c.has(2) {
		s, err := BroadcastShapes(c.in[2].Shape, []int{m, n})
		if err != nil || len(s) != 2 || s[0] != m || s[1] != n {
			return nil, fmt.Errorf("the third input %v does not broadcast to [%d %d]", c.in[2].Shape, m, n)
		}
	}
	return c.like(0, m, n)
}

func matMulRule(c *shapeCall) ([]Value, error) {
	shape, err := matMulShape(c.in[0].Shape, c.in[1].Shape)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

// matMulShape is numpy.matmul's: vectors are promoted to matrices and the added
// dimension is taken away again.
func matMulShape(a, b []int) ([]int, error) {
	if len(a) == 0 || len(b) == 0 {
		return nil, fmt.Errorf("a scalar cannot be multiplied as a matrix")
	}
	rowVector, columnVector := len(a) == 1, len(b) == 1
	if rowVector {
		a = []int{1, a[0]}
	}
	if columnVector {
		b = []int{b[0], 1}
	}
	p, q := len(a), len(b)
	if a[p-1] != b[q-2] {
		return nil, fmt.Errorf("the inner sizes of %v and %v differ", a, b)
	}
	shape, err := BroadcastShapes(a[:p-2], b[:q-2])
	if err != nil {
		return nil, err
	}
	if !rowVector {
		shape = append(shape, a[p-2])
	}
	if !columnVector {
		shape = append(shape, b[q-1])
	}
	return shape, nil
}

// fusedMatMulRule is MatMul with the last two dimensions of an input swapped.
func fusedMatMulRule(c *shapeCall) ([]Value, error) {
	a, b := c.in[0].Shape, c.in[1].Shape
	if len(a) < 2 || len(b) < 2 || c.n.Int("transBatchA", 0) != 0 || c.n.Int("transBatchB", 0) != 0 {
		return nil, fmt.Errorf("inputs %v and %v must be matrices, batches in front", a, b)
	}
	if c.n.Int("transA", 0) != 0 {
		a = swapLast(a)
	}
	if c.n.Int("transB", 0) != 0 {
		b = swapLast(b)
	}
	shape, err := matMulShape(a, b)
	return []Value{{Type: c.in[0].Type, Shape: shape}}, err
}

func swapLast(s []int) []int {
	out := append([]int{}, s...)
	n := len(out)
	out[n-1], out[n-2] = out[n-2], out[n-1]
	return out
}

// einsumRule supports explicit and implicit equations of single letters, without
// an ellipsis.
func einsumRule(c *shapeCall) ([]Value, error) {
	ranks := make([]int, len(c.in))
	for i, v := range c.in {
		ranks[i] = v.Rank()
	}
	equation := c.n.Str("equation", "")
	terms, result, err := SpellEinsum(equation, ranks)
	if err != nil {
		return nil, err
	}
	size := map[rune]int{}
	for i, term := range terms {
		for k, letter := range []rune(term) {
			d := c.in[i].Shape[k]
			if old, ok := size[letter]; ok && old != d && old != 1 && d != 1 {
				return nil, fmt.Errorf("%q has sizes %d and %d in %q", letter, old, d, equation)
			}
			size[letter] = max(size[letter], d)
		}
	}
	shape := []int{}
	for _, letter := range result {
		d, ok := size[letter]
		if !ok {
			return nil, fmt.Errorf("%q in the output of %q is in no input", letter, equation)
		}
		shape = append(shape, d)
	}
	return c.like(0, shape...)
}

// SpellEinsum reads the equation of an Einsum for inputs of the given ranks: the
// letters of each input's dimensions and of the output's, with those that an
// ellipsis stands for and an output that is left out spelled as the operator's
// specification says.
func SpellEinsum(equation string, ranks []int) (terms []string, output string, err error) {
	equation = strings.ReplaceAll(equation, " ", "")
	left, output, explicit := strings.Cut(equation, "->")
	terms = strings.Split(left, ",")
	if len(terms) != len(ranks) {
		return nil, "", fmt.Errorf("the equation %q is not for %d inputs", equation, len(ranks))
	}
	if !explicit {
		output = onlyOnce(left)
	}
	free := unusedLetters(equation)
	longest := 0
	for i, term := range terms {
		n := ranks[i] - len(strings.Replace(term, "...", "", 1))
		if n < 0 || n > len(free) || n > 0 && !strings.Contains(term, "...") {
			return nil, "", fmt.Errorf("%q of %q does not fit %d dimensions", term, equation, ranks[i])
		}
		longest = max(longest, n)
		terms[i] = strings.Replace(term, "...", free[len(free)-n:], 1)
	}
	output = strings.Replace(output, "...", free[len(free)-longest:], 1)
	if strings.Contains(strings.Join(terms, "")+output, ".") {
		return nil, "", fmt.Errorf("the equation %q is not supported", equation)
	}
	return terms, output, nil
}

// onlyOnce is the output that an equation without one has: the letters that occur
// once, in alphabetical order, behind what an ellipsis stands for.
func onlyOnce(left string) string {
	var once string
	for letter := 'A'; letter <= 'z'; letter++ {
		if strings.Count(left, string(letter)) == 1 {
			once += string(letter)
		}
	}
	if strings.Contains(left, "...") {
		return "..." + once
	}
	return once
}

// unusedLetters are those that an equation leaves for an ellipsis.
func unusedLetters(equation string) string {
	var free string
	for letter := 'A'; letter <= 'Z'; letter++ {
		if !strings.ContainsRune(equation, letter) {
			free += string(letter)
		}
	}
	return free
}
