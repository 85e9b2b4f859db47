package ort

import (
	"fmt"
	"slices"
	"strings"
)

// Placement are nodes of a graph that the device's provider left to the CPU: their
// inputs and outputs cross between the memories in every run.
type Placement struct {
	Graph string
	Op    string
	Nodes []string
}

// String names the nodes, some of them where there are many.
func (p Placement) String() string {
	const most = 5
	shown := p.Nodes[:min(len(p.Nodes), most)]
	text := fmt.Sprintf("%s: %d %s (%s", p.Graph, len(p.Nodes), p.Op, strings.Join(shown, ", "))
	if more := len(p.Nodes) - len(shown); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + ")"
}

// PlacementError says that a provider leaves nodes to the CPU, where that was ruled
// out.
type PlacementError struct {
	Device string
	Left   []Placement
}

// Error lists the nodes.
func (e *PlacementError) Error() string {
	lines := make([]string, len(e.Left))
	for i, p := range e.Left {
		lines[i] = p.String()
	}
	return fmt.Sprintf("device %s leaves nodes to the CPU: %s", e.Device, strings.Join(lines, "; "))
}

// Hint says how to go on.
func (e *PlacementError) Hint() string {
	return "without the strict setting (cuda.strict) they run on the CPU, at the price of copies between the memories"
}

// ExitCode is that of a wrong configuration.
func (e *PlacementError) ExitCode() int { return 2 }

// leftToCPU groups the nodes that the CPU got by their operators.
func leftToCPU(graph string, nodes []assigned) []Placement {
	byOp := map[string][]string{}
	for _, n := range nodes {
		if n.provider == providerNames["cpu"] {
			byOp[n.op] = append(byOp[n.op], n.node)
		}
	}
	var left []Placement
	for op, names := range byOp {
		left = append(left, Placement{Graph: graph, Op: op, Nodes: names})
	}
	slices.SortFunc(left, func(a, b Placement) int { return strings.Compare(a.Op, b.Op) })
	return left
}
