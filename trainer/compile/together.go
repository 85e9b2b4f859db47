package compile

import (
	"slices"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// A graphics processor takes about as long to start an operator as to run it on a
// hundred thousand elements, and ResNet-50 has 161 parameters, of which each takes
// six operators to update. So there all but the largest are joined to one vector,
// updated together and divided again, at the price of moving them once more.

// togetherElements is the size up to which a parameter is updated with others.
const togetherElements = 4 << 20

// groups are the parameters' slots by what is updated together.
func (s *step) groups(rule optim.Rule) [][]Slot {
	var groups [][]Slot
	at := map[Rates]int{}
	for _, slot := range s.state {
		if slot.Zero || !s.trains(slot.Param) {
			continue
		}
		rates := s.o.rates(slot.Param)
		group, known := at[rates]
		if s.o.Target == CPU || rule.Whole || onnx.NumElements(slot.Shape) > togetherElements {
			groups = append(groups, []Slot{slot})
		} else if known && s.o.fits(len(groups[group])+1) {
			groups[group] = append(groups[group], slot)
		} else {
			at[rates] = len(groups)
			groups = append(groups, []Slot{slot})
		}
	}
	return groups
}

// fits tells whether the target's operators take so many tensors.
func (o Options) fits(tensors int) bool {
	most := mostTogether[o.Target]
	return most == 0 || tensors <= most
}

// updateTogether updates several parameters that have all else in common.
func (s *step) updateTogether(group []Slot, optimizer map[string][]Slot, rule optim.Rule) {
	p := s.common(group[0].Param)
	var params, gradients []onnx.Value
	states := make([][]onnx.Value, len(rule.State))
	for _, slot := range group {
		params = append(params, s.values[slot.Param])
		gradients = append(gradients, s.gradients[slot.Param])
		for k, kind := range optimizer[slot.Param] {
			states[k] = append(states[k], s.Named(kind.Name))
		}
	}
	p.Param, p.Gradient, p.State = s.join(params), s.join(gradients), nil
	for _, state := range states {
		p.State = append(p.State, s.join(state))
	}
	next, moved := rule.Update(&p)
	parts := s.divide(next, params)
	for i, slot := range group {
		s.next[slot.Name] = parts[i]
	}
	for k, v := range moved {
		parts := s.divide(v, params)
		for i, slot := range group {
			s.next[optimizer[slot.Param][k].Name] = parts[i]
		}
	}
}

// join makes one vector of the elements of several values.
func (n *network) join(values []onnx.Value) onnx.Value {
	flat := make([]onnx.Value, len(values))
	for i, v := range values {
		flat[i] = v
		if v.Rank() != 1 {
			flat[i] = n.Op("Reshape", nil, v, n.Ints(v.Size()))
		}
	}
	return n.Op("Concat", onnx.Attrs{"axis": int64(0)}, flat...)
}

// divide is the opposite of join; the parts stay vectors.
func (n *network) divide(v onnx.Value, like []onnx.Value) []onnx.Value {
	sizes := make([]int, len(like))
	for i, part := range like {
		sizes[i] = part.Size()
	}
	return n.OpN("Split", onnx.Attrs{"axis": int64(0)}, len(like), v, n.Ints(sizes...))
}

// moveStatisticsTogether is moveStatistics for a graphics processor.
func (n *network) moveStatisticsTogether() {
	var momenta []float64
	running, batch := map[float64][]string{}, map[float64][]onnx.Value{}
	for _, node := range n.model.Nodes {
		if !n.normalisesBatch(node) {
			continue
		}
		momentum := node.Float("momentum", 0.9)
		if !slices.Contains(momenta, momentum) {
			momenta = append(momenta, momentum)
		}
		running[momentum] = append(running[momentum], node.Inputs[3:5]...)
		batch[momentum] = append(batch[momentum], n.Named(node.Name+".mean"), n.Named(node.Name+".variance"))
	}
	for _, momentum := range momenta {
		names := running[momentum]
		most := len(names)
		if limit := mostTogether[n.o.Target]; limit > 0 {
			most = limit
		}
		for from := 0; from < len(names); from += most {
			to := min(from+most, len(names))
			n.moveTogether(momentum, names[from:to], batch[momentum][from:to])
		}
	}
}

// moveTogether moves some running statistics.
func (n *network) moveTogether(momentum float64, names []string, batch []onnx.Value) {
	defer n.Scope("statistics/together")()
	var old []onnx.Value
	for _, name := range names {
		old = append(old, n.values[name])
	}
	moved := n.divide(n.movedBy(momentum, n.join(old), n.join(batch)), old)
	for i, name := range names {
		n.moved[name] = moved[i]
	}
}
