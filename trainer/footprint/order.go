package footprint

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// order is the nodes as ONNX Runtime executes them one after another: each after
// what it reads, found by going down from the nodes that nobody reads, the last
// of them first (Graph::ReverseDFSFrom).
func order(g *onnx.Graph) []*onnx.Node {
	producers := map[string]int{}
	read := map[string]bool{}
	for i, n := range g.Nodes {
		for _, out := range n.Outputs {
			producers[out] = i
		}
		for _, in := range n.Inputs {
			read[in] = true
		}
	}
	type visit struct {
		node  int
		leave bool
	}
	var stack []visit
	for i, n := range g.Nodes {
		if !slices.ContainsFunc(n.Outputs, func(out string) bool { return read[out] }) {
			stack = append(stack, visit{node: i})
		}
	}
	var out []*onnx.Node
	seen := make([]bool, len(g.Nodes))
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if v.leave {
			out = append(out, g.Nodes[v.node])
			continue
		}
		if seen[v.node] {
			continue
		}
		seen[v.node] = true
		stack = append(stack, visit{v.node, true})
		for _, below := range inputsOf(g.Nodes[v.node], producers) {
			stack = append(stack, visit{node: below})
		}
	}
	return out
}

// inputsOf are the numbers of the nodes that a node reads, ascending.
func inputsOf(n *onnx.Node, producers map[string]int) []int {
	var below []int
	for _, in := range n.Inputs {
		if p, ok := producers[in]; ok && in != "" {
			below = append(below, p)
		}
	}
	slices.Sort(below)
	return slices.Compact(below)
}
