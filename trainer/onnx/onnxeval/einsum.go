package onnxeval

import (
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// einsum sums products over the labels that the output does not name:
// "bij,bjk->bik". An ellipsis stands for axes that broadcast.
func einsum(n *onnx.Node, in []*Array) []*Array {
	equation := strings.ReplaceAll(n.Str("equation", ""), " ", "")
	left, right, explicit := strings.Cut(equation, "->")
	terms := strings.Split(left, ",")
	check(len(terms) == len(in), "equation %q does not have %d terms", equation, len(in))
	labels := make([][]rune, len(in))
	ellipsis := 0 // axes that the longest ellipsis stands for
	for i, t := range terms {
		if strings.Contains(t, "...") {
			ellipsis = max(ellipsis, len(in[i].Shape)-len(t)+len("..."))
		}
	}
	for i, t := range terms {
		axes := 0
		if strings.Contains(t, "...") {
			axes = len(in[i].Shape) - len(t) + len("...")
		}
		labels[i] = spell(t, ellipsis, axes)
		check(len(labels[i]) == len(in[i].Shape), "term %q does not fit shape %v", t, in[i].Shape)
	}
	if !explicit {
		right = implicitOutput(left)
	}
	return one(contract(in, labels, spell(right, ellipsis, ellipsis)))
}

// spell writes an ellipsis that stands for n axes as digits, aligned at the end
// of the longest one.
func spell(term string, longest, n int) []rune {
	var digits strings.Builder
	for i := longest - n; i < longest; i++ {
		digits.WriteRune('0' + rune(i))
	}
	return []rune(strings.Replace(term, "...", digits.String(), 1))
}

// implicitOutput names the labels that occur once, in alphabetical order, after
// the ellipsis.
func implicitOutput(left string) string {
	var once []rune
	for _, r := range left {
		if strings.Count(left, string(r)) == 1 && r != ',' && r != '.' {
			once = append(once, r)
		}
	}
	slices.Sort(once)
	if strings.Contains(left, "...") {
		return "..." + string(once)
	}
	return string(once)
}

// contract sums the products of the inputs' elements over every label that is
// not in the output.
func contract(in []*Array, labels [][]rune, output []rune) *Array {
	size, order := labelSizes(in, labels, output)
	shape := make([]int, len(order))
	for i, r := range order {
		shape[i] = size[r]
	}
	y := New(shape[:len(output)]...).of(in[0].Type)
	steps := make([][]int, len(in))
	for i := range in {
		steps[i] = make([]int, len(order))
		for ax, s := range strides(in[i].Shape) {
			if in[i].Shape[ax] > 1 {
				steps[i][slices.Index(order, labels[i][ax])] += s
			}
		}
	}
	inner := product(shape[len(output):])
	each(shape, func(i int, at []int) {
		p := 1.
		for j, x := range in {
			p *= x.Data[flat(at, steps[j])]
		}
		y.Data[i/inner] += p
	})
	return y
}

// labelSizes finds each label's size and lists the labels, the output's first.
func labelSizes(in []*Array, labels [][]rune, output []rune) (size map[rune]int, order []rune) {
	size, order = map[rune]int{}, slices.Clone(output)
	for i, term := range labels {
		for ax, r := range term {
			d := in[i].Shape[ax]
			old, seen := size[r]
			check(!seen || old == d || old == 1 || d == 1, "label %c has sizes %d and %d", r, old, d)
			if !seen || old == 1 {
				size[r] = d
			}
			if !slices.Contains(order, r) {
				order = append(order, r)
			}
		}
	}
	for _, r := range output {
		_, seen := size[r]
		check(seen, "label %c of the output is in no input", r)
	}
	return size, order
}
