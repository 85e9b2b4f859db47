package compile

import (
	"slices"

	"orchestrator/trainer/onnx"
)

// order is an index of nodes that come in an order in which they can run: which
// of them writes a value, which read it, and which depend on which.
type order struct {
	nodes   []*onnx.Node
	writer  map[string]int
	readers map[string][]int
	columns map[int]int // of the nodes that depends can be asked about
	before  [][]uint64  // by node, a bit for each column that it depends on, itself included
}

func newOrder(nodes []*onnx.Node) *order {
	o := &order{nodes: slices.Clone(nodes), writer: map[string]int{}, readers: map[string][]int{}}
	for i, n := range nodes {
		for _, out := range n.Outputs {
			if out != "" {
				o.writer[out] = i
			}
		}
		for k, in := range n.Inputs {
			if in != "" && !slices.Contains(n.Inputs[:k], in) {
				o.readers[in] = append(o.readers[in], i)
			}
		}
	}
	return o
}

// readersOf are the nodes that read one of the values, or a view of it, in order.
func (o *order) readersOf(values ...string) []int {
	var found []int
	for len(values) > 0 {
		for _, i := range o.readers[values[0]] {
			if slices.Contains(found, i) {
				continue
			}
			found = append(found, i)
			if n := o.nodes[i]; views[n.Op] {
				values = append(values, n.Outputs[0])
			}
		}
		values = values[1:]
	}
	slices.Sort(found)
	return found
}

// follow makes depends answer for the given nodes: in one pass over all, however
// many are asked about.
func (o *order) follow(asked []int) {
	o.columns, o.before = map[int]int{}, make([][]uint64, len(o.nodes))
	for _, i := range asked {
		if _, known := o.columns[i]; !known {
			o.columns[i] = len(o.columns)
		}
	}
	for i, n := range o.nodes {
		set := make([]uint64, (len(o.columns)+63)/64)
		for _, in := range n.Inputs {
			if w, ok := o.writer[in]; ok {
				for k, bits := range o.before[w] {
					set[k] |= bits
				}
			}
		}
		if c, ok := o.columns[i]; ok {
			set[c/64] |= 1 << (c % 64)
		}
		o.before[i] = set
	}
}

// depends tells whether the value needs what a node computes, which follow was
// told of.
func (o *order) depends(value string, node int) bool {
	w, ok := o.writer[value]
	c, known := o.columns[node]
	return ok && known && o.before[w][c/64]&(1<<(c%64)) != 0
}

// neededFor marks the nodes that the values depend on.
func (o *order) neededFor(values []string) []bool {
	needed := make([]bool, len(o.nodes))
	for _, v := range values {
		if w, ok := o.writer[v]; ok {
			needed[w] = true
		}
	}
	for i, n := range slices.Backward(o.nodes) {
		if !needed[i] {
			continue
		}
		for _, in := range n.Inputs {
			if w, ok := o.writer[in]; ok {
				needed[w] = true
			}
		}
	}
	return needed
}
