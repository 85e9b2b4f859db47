package surgery

import (
	"path"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// Match reports whether a layer or parameter name matches a glob: `*` is any
// text, `?` one character, `[a-c]` one of a set, as in path.Match; but a slash
// is a character like any other, so that "features*" finds "features/0/conv".
// A glob that is not well formed matches nothing but itself.
func Match(glob, name string) bool {
	if glob == name {
		return true
	}
	// path.Match treats the slash specially and no other character so.
	plain := func(s string) string { return strings.ReplaceAll(s, "/", "\x00") }
	ok, err := path.Match(plain(glob), plain(name))
	return ok && err == nil
}

// Parameters lists the parameters that a glob names, by their own name or by
// that of a layer that reads them, in graph order.
func Parameters(g *onnx.Graph, glob string) []string {
	matched := map[string]bool{}
	for _, n := range g.Nodes {
		if !Match(glob, n.Name) {
			continue
		}
		for _, t := range layerParameters(g, n) {
			matched[t.Name] = true
		}
	}
	var names []string
	for _, t := range g.Initializers {
		if t.Param && (matched[t.Name] || Match(glob, t.Name)) {
			names = append(names, t.Name)
		}
	}
	return names
}

// layerParameters are the parameters that a node reads; those of a MatMul
// include the bias that the Add behind it reads.
func layerParameters(g *onnx.Graph, n *onnx.Node) []*onnx.Tensor {
	var ts []*onnx.Tensor
	for _, in := range n.Inputs {
		if t := g.Initializer(in); t != nil && t.Param {
			ts = append(ts, t)
		}
	}
	if n.Op == "MatMul" && len(ts) == 1 {
		if bias := matMulBias(g, n, ts[0].Shape[len(ts[0].Shape)-1]); bias != nil {
			ts = append(ts, bias)
		}
	}
	return ts
}

// matMulBias is the bias of a MatMul: what an Add, its only reader, adds to
// each of its outputs. Nil where there is none.
func matMulBias(g *onnx.Graph, n *onnx.Node, outputs int) *onnx.Tensor {
	readers := readersOf(g, n.Outputs[0])
	if len(readers) != 1 || readers[0].Op != "Add" {
		return nil
	}
	for _, in := range readers[0].Inputs {
		t := g.Initializer(in)
		if t != nil && t.Param && len(t.Shape) > 0 && onnx.NumElements(t.Shape) == outputs && t.Shape[len(t.Shape)-1] == outputs {
			return t
		}
	}
	return nil
}

func readersOf(g *onnx.Graph, value string) []*onnx.Node {
	var out []*onnx.Node
	for _, n := range g.Nodes {
		if slices.Contains(n.Inputs, value) {
			out = append(out, n)
		}
	}
	return out
}

// parameterLayers names the layers that have parameters.
func parameterLayers(g *onnx.Graph) []string {
	var names []string
	for _, n := range g.Nodes {
		if len(layerParameters(g, n)) > 0 {
			names = append(names, n.Name)
		}
	}
	return names
}
