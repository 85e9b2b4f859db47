package compile

import (
	"errors"
	"slices"

	"orchestrator/trainer/onnx"
	"orchestrator/trainer/optim"
)

// Train compiles a whole training step: forward, loss, backward, update.
//
// An output that does not fit the classes gives an *OutputError, an operator
// that cannot be trained through an *autodiff.UnsupportedError.
func Train(model *onnx.Graph, o Options) (*Program, error) {
	if o.scaled() {
		return nil, errors.New("compile: a step of float16 is Accumulate and Apply: whether its update is done depends on its gradients")
	}
	rule, err := o.rule()
	if err != nil {
		return nil, err
	}
	s, err := newStep("train", model, o, &rule)
	if err != nil {
		return nil, err
	}
	optimizer := s.declareOptimizer(rule)
	if err := s.differentiate(); err != nil {
		return nil, err
	}
	s.update(rule, optimizer)
	return s.finish()
}

// Accumulate compiles the part of a training step that is done for each
// micro-batch: forward, loss, backward, and the sum of the gradients.
func Accumulate(model *onnx.Graph, o Options) (*Program, error) {
	s, err := newStep("accumulate", model, o, nil)
	if err != nil {
		return nil, err
	}
	s.declareSums()
	if err := s.differentiate(); err != nil {
		return nil, err
	}
	for _, name := range s.trained() {
		s.next["acc:"+name] = s.Op("Add", nil, s.Named("acc:"+name), s.unscaled(s.gradients[name]))
	}
	s.testSums()
	return s.finish()
}

// Clear compiles what makes the sums of the gradients zero, for devices whose
// memory the host cannot write. Its input "zero" is that number.
func Clear(model *onnx.Graph, o Options) (*Program, error) {
	n, err := newNetwork("clear", model, o, true)
	if err != nil {
		return nil, err
	}
	n.declareTrained() // to find them: nothing reads them, and what is written is apart
	b := onnx.NewBuilder("clear")
	zero := b.Input("zero", onnx.Float)
	p := &Program{}
	inPlace := map[string][]string{}
	for _, name := range n.trained() {
		shape := n.model.Initializer(name).Shape
		slot := Slot{Name: "acc:" + name, Param: name, Shape: shape, Zero: true, Updated: true, InPlace: true, Sum: true}
		p.State = append(p.State, slot)
		b.Output(slot.Name+"'", b.Op("Expand", nil, zero, b.Ints(shape...)))
		inPlace[slot.Name+"'"] = []string{slot.Name}
	}
	if p.Graph, err = b.Graph(); err != nil {
		return nil, err
	}
	nameOutputs(p.Graph)
	p.Graph.InPlace = inPlace
	return p, nil
}

// Apply compiles the rest of a training step: the update of the parameters with
// the sums of the gradients.
func Apply(model *onnx.Graph, o Options) (*Program, error) {
	rule, err := o.rule()
	if err != nil {
		return nil, err
	}
	n, err := newNetwork("apply", model, o, true)
	if err != nil {
		return nil, err
	}
	s := &step{network: n, next: map[string]onnx.Value{}, gradients: map[string]onnx.Value{}}
	s.declareRate(rule)
	s.declareTrained()
	if len(s.trained()) == 0 {
		return nil, s.nothingTrained()
	}
	optimizer := s.declareOptimizer(rule)
	s.declareSums()
	for _, name := range s.trained() {
		s.gradients[name] = s.Named("acc:" + name)
	}
	s.update(rule, optimizer)
	return s.finish()
}

// nothingTrained says why there is nothing to train.
func (s *step) nothingTrained() error {
	if !slices.ContainsFunc(s.model.Initializers, func(t *onnx.Tensor) bool { return t.Param }) {
		return errNoParameters
	}
	return errFrozen
}

var errNoParameters = errors.New("the network has no parameters: none of its weights is a tensor of floats in the file")

var errFrozen = errors.New("every parameter is frozen (lr_mult 0): there is nothing to train")

// step is a training program in the making.
type step struct {
	*network
	labels    onnx.Value
	weights   onnx.Value
	rate      onnx.Value
	scale     onnx.Value            // of the gradients while they are float16; else absent
	finite    onnx.Value            // whether the sums of the gradients are; absent without a scale
	fed       map[string]onnx.Value // the network's inputs
	loss      onnx.Value
	gradients map[string]onnx.Value // by parameter
	// derivatives are the gradients of the loss by values of the graph, by name.
	derivatives map[string]onnx.Value
	next        map[string]onnx.Value // new values, by slot
	scalars     []Scalar
	order       *order // of the nodes up to the gradients
	live        []bool // of order, the nodes that some gradient needs
}

// newStep declares the inputs up to the parameters; rule is nil where the
// program does not update.
func newStep(name string, model *onnx.Graph, o Options, rule *optim.Rule) (*step, error) {
	n, err := newNetwork(name, model, o, true)
	if err != nil {
		return nil, err
	}
	s := &step{network: n, next: map[string]onnx.Value{}, gradients: map[string]onnx.Value{}}
	s.fed = s.sources()
	s.labels = s.Input("labels", onnx.Int64, s.o.Batch)
	s.weights = s.Input("weights", onnx.Float, s.o.Batch)
	if s.o.scaled() {
		s.scale = s.Input("loss_scale", onnx.Float)
	}
	if rule != nil {
		s.declareRate(*rule)
	}
	if err := s.declareMasks(); err != nil {
		return nil, err
	}
	s.declareState()
	if len(s.trained()) == 0 {
		return nil, s.nothingTrained()
	}
	return s, s.Err()
}

// declareRate declares the scalars that an update takes.
func (s *step) declareRate(rule optim.Rule) {
	s.rate = s.Input("learning_rate", onnx.Float)
	for _, scalar := range rule.Scalars {
		s.Input(scalar.Name, onnx.Float)
		s.scalars = append(s.scalars, Scalar{Input: scalar.Name, At: func(t int) float64 { return scalar.At(s.o.Hyper, t) }})
	}
}

// declareOptimizer declares the blocks of the parameters and the optimizer's
// state, and returns its slots by parameter.
func (s *step) declareOptimizer(rule optim.Rule) map[string][]Slot {
	for i, slot := range s.state {
		if !slot.Zero && s.trains(slot.Param) {
			s.state[i].Rows = s.rowsPerBlock(rule, slot.Param)
			s.declareBlocks(s.state[i])
		}
	}
	slots := map[string][]Slot{}
	for _, name := range s.trained() {
		for _, kind := range rule.State {
			slots[name] = append(slots[name], s.declareZero(kind, name, s.rowsPerBlock(rule, name)))
		}
	}
	return slots
}

// declareSums declares the sums of the gradients.
func (s *step) declareSums() {
	for _, name := range s.trained() {
		s.declareZero("acc", name, 0)
		s.state[len(s.state)-1].Sum = true
	}
}

func (s *step) declareZero(kind, param string, rows int) Slot {
	shape := s.model.Initializer(param).Shape
	slot := Slot{Name: kind + ":" + param, Param: param, Shape: shape, Zero: true, Rows: rows}
	if s.declareBlocks(slot); rows == 0 {
		s.Input(slot.Name, onnx.Float, shape...)
	}
	s.state = append(s.state, slot)
	return slot
}

// differentiate writes the network, the loss and the gradients.
func (s *step) differentiate() error {
	if err := s.forward(s.fed); err != nil {
		return err
	}
	for name, v := range s.moved {
		s.next["param:"+name] = v
	}
	s.loss = s.writeLoss()
	written := map[string]string{}
	for _, n := range s.Nodes() {
		written[n.Name] = n.FullOp()
	}
	names := s.trained()
	wrt := make([]onnx.Value, len(names))
	for i, name := range names {
		wrt[i] = s.values[name]
	}
	var err error
	if s.derivatives, err = s.o.lowering().Gradients(s.Builder, s.scaledLoss(), wrt); err != nil {
		return err
	}
	for i, name := range names {
		s.gradients[name] = s.derivatives[wrt[i].Name]
	}
	return s.lower(written)
}

// update writes the new parameters and the new optimizer state.
func (s *step) update(rule optim.Rule, optimizer map[string][]Slot) {
	s.clip()
	s.orderNodes()
	for _, group := range s.groups(rule) {
		if len(group) > 1 {
			end := s.Scope("update/together")
			s.updateTogether(group, optimizer, rule)
			end()
			continue
		}
		slot := group[0]
		end := s.Scope("update/" + slot.Param)
		s.updateParts(slot, optimizer[slot.Param], rule, s.common(slot.Param))
		end()
	}
}

// common is what all elements of a parameter have in common in its update, and
// the whole gradient.
func (s *step) common(param string) optim.Step {
	rates := s.o.rates(param)
	p := optim.Step{
		Builder: s.Builder, Gradient: s.gradients[param],
		Rate: s.guard(param, s.rate), Decay: s.o.Decay * rates.Decay, Momentum: s.o.Momentum, Hyper: s.o.Hyper,
	}
	for _, scalar := range s.scalars {
		p.Scalars = append(p.Scalars, s.Named(scalar.Input))
	}
	if rates.LR != 1 {
		p.Rate = s.Op("Mul", nil, p.Rate, s.Scalar(rates.LR))
	}
	return p
}

// clip bounds the gradients of the whole mini-batch.
func (s *step) clip() {
	defer s.Scope("clip")()
	names := s.trained()
	gradients := make([]onnx.Value, len(names))
	for i, name := range names {
		gradients[i] = s.gradients[name]
	}
	if s.o.ClipValue > 0 {
		gradients = optim.ClipValue(s.Builder, gradients, s.o.ClipValue)
	}
	if s.o.ClipNorm > 0 {
		gradients = optim.ClipNorm(s.Builder, gradients, s.o.ClipNorm)
	}
	for i, name := range names {
		s.gradients[name] = gradients[i]
	}
}

// finish declares the outputs and checks the graph.
func (s *step) finish() (*Program, error) {
	if !s.loss.Absent() {
		s.Output("loss", s.loss)
	}
	if !s.finite.Absent() {
		s.Output("finite", s.finite)
	}
	for i, slot := range s.state {
		for _, part := range slot.parts() {
			if v, ok := s.next[part]; ok {
				s.Output(part+"'", v)
				s.state[i].Updated = true
			}
		}
	}
	g, err := s.Graph()
	if err != nil {
		return nil, err
	}
	s.rewriteForGraphics(g)
	nameOutputs(g)
	p := &Program{Graph: g, Scalars: s.scalars, Masks: s.masks, State: s.state, Gradients: s.kept(g)}
	p.markInPlace()
	return p, nil
}

// kept names the derivatives that the finished graph computes: an update may have
// taken one in, as the sum that a Gemm adds to, and what nothing reads is dropped.
func (s *step) kept(g *onnx.Graph) map[string]string {
	computed := map[string]bool{}
	for _, n := range g.Nodes {
		for _, out := range n.Outputs {
			computed[out] = true
		}
	}
	names := map[string]string{}
	for value, gradient := range s.derivatives {
		if computed[gradient.Name] {
			names[value] = gradient.Name
		}
	}
	return names
}

// nameOutputs takes out the Identity nodes that do nothing but give a computed
// value its name as an output, each a copy of a whole tensor.
func nameOutputs(g *onnx.Graph) {
	rename, dropped := map[string]string{}, map[*onnx.Node]bool{}
	at := newOrder(g.Nodes)
	for _, o := range g.Outputs {
		i, ok := at.writer[o.Name]
		if !ok || g.Nodes[i].Op != "Identity" {
			continue
		}
		from := g.Nodes[i].Inputs[0]
		if _, computed := at.writer[from]; computed && rename[from] == "" && !isOutput(g, from) {
			rename[from], dropped[g.Nodes[i]] = o.Name, true
		}
	}
	g.Nodes = slices.DeleteFunc(g.Nodes, func(n *onnx.Node) bool { return dropped[n] })
	for _, n := range g.Nodes {
		for _, names := range [][]string{n.Inputs, n.Outputs} {
			for i, name := range names {
				if to, ok := rename[name]; ok {
					names[i] = to
				}
			}
		}
	}
}

func isOutput(g *onnx.Graph, name string) bool {
	return slices.ContainsFunc(g.Outputs, func(o onnx.Value) bool { return o.Name == name })
}
