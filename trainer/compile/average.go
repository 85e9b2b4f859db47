package compile

import (
	"slices"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// Average compiles the moving average of all that training changes in the
// network: trained parameters, and running statistics, which belong to them. It
// runs after each update. The averages are slots of their own that begin at the
// model's values; Averaged names them.
func Average(model *onnx.Graph, o Options) (*Program, error) {
	n, err := newNetwork("average", model, o, true)
	if err != nil {
		return nil, err
	}
	s := &step{network: n, next: map[string]onnx.Value{}}
	share := s.Input("average_share", onnx.Float)
	s.scalars = []Scalar{{Input: "average_share", At: func(t int) float64 { return optim.AverageShare(s.o.Average, t) }}}
	names := s.changing()
	for _, name := range names {
		s.declare(s.model.Initializer(name))
	}
	for _, name := range names {
		slot := Slot{Name: Averaged(name), Param: name, Shape: s.model.Initializer(name).Shape}
		s.state = append(s.state, slot)
		mean := s.Input(slot.Name, onnx.Float, slot.Shape...)
		s.next[slot.Name] = optim.Average(s.Builder, mean, s.values[name], share)
	}
	return s.finish()
}

// Averaged is the name of the slot with the average of an initializer.
func Averaged(param string) string { return "average:" + param }

// changing are the initializers that training gives new values, in the order in
// which the nodes use them.
func (n *network) changing() []string {
	var names []string
	for _, node := range n.model.Nodes {
		for i, in := range node.Inputs {
			statistic := n.normalisesBatch(node) && (i == 3 || i == 4)
			if (n.trains(in) || statistic) && !slices.Contains(names, in) {
				names = append(names, in)
			}
		}
	}
	return names
}

// normalisesBatch tells whether a node is a BatchNormalization that uses the
// mini-batch's statistics in training: one with a parameter that is trained.
func (n *network) normalisesBatch(node *onnx.Node) bool {
	return node.Op == "BatchNormalization" && (n.trains(node.Inputs[1]) || n.trains(node.Inputs[2]))
}
