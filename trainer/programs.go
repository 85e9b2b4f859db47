package trainer

import (
	"orchestrator/trainer/compile"
	"orchestrator/trainer/onnx"
)

// programs are a job's graphs, compiled; nil where it has no use for one.
type programs struct {
	// Either train, or accumulate and apply, do a step.
	train, accumulate, apply *compile.Program
	clear                    *compile.Program // before a step's first accumulate, on a device with its own memory
	average                  *compile.Program // after each step
	eval                     *compile.Program // of pictures, by the whole network
	rest                     *compile.Frozen  // how the network is divided where there are features
	quick                    *compile.Program // of features, by the rest
}

// all are the programs that there are.
func (p *programs) all() []*compile.Program {
	var all []*compile.Program
	for _, one := range []*compile.Program{p.train, p.clear, p.accumulate, p.apply, p.average, p.eval, p.quick} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

// masks are those that a micro-batch is fed with.
func (p *programs) masks() []compile.Mask {
	if p.train != nil {
		return p.train.Masks
	}
	return p.accumulate.Masks
}

// fit changes the programs for a runtime's memory.
func (p *programs) fit(m DeviceMemory) {
	if !m.OwnMemory() {
		p.clear = nil // the host clears its memory itself
	}
	if m.InPlace() {
		return
	}
	for _, one := range p.all() {
		one.Graph.InPlace = nil
		for i := range one.State {
			one.State[i].InPlace = false
		}
	}
}

// compile makes the job's programs.
func (j *Job) compile() (*programs, error) {
	p := &programs{}
	c := compiler{model: j.Model, o: evalOptions(j.Data, j.evalBatch(), len(j.Classes))}
	c.o.Loss, c.o.ExtraOutputs = j.Loss, j.ExtraOutputs
	p.eval = c.compile("evaluation", compile.Eval)
	if j.Features != nil {
		var err error
		if p.rest, err = j.Frozen(); err != nil {
			return nil, err
		}
		if p.rest == nil {
			return nil, badJob("features were given for it, but it has no frozen part, or one that augmentation varies")
		}
		c.model, c.o.Features = p.rest.Rest, true
		p.quick = c.compile("evaluation", compile.Eval)
	}
	c.o.Batch = j.micro()
	j.training(&c.o)
	if j.micro() == j.batch() && !j.scaled() {
		p.train = c.compile("training", compile.Train)
	} else {
		p.clear = c.compile("sums", compile.Clear)
		p.accumulate = c.compile("accumulation", compile.Accumulate)
		p.apply = c.compile("update", compile.Apply)
	}
	if j.Average > 0 {
		p.average = c.compile("average", compile.Average)
	}
	return p, c.err
}

// compiler keeps the first error of several compilations.
type compiler struct {
	model *onnx.Graph
	o     compile.Options
	err   error
}

func (c *compiler) compile(what string, to func(*onnx.Graph, compile.Options) (*compile.Program, error)) *compile.Program {
	if c.err != nil {
		return nil
	}
	p, err := to(c.model, c.o)
	if err != nil {
		c.err = &CompileError{What: what, Err: err}
		return nil
	}
	return p
}

// Frozen divides the job's network: what lies below all that training changes
// answers the same to a sample in every step, and may be computed beforehand. It
// is nil where there is no such part, or where crops or flips vary what it sees.
func (j *Job) Frozen() (*compile.Frozen, error) {
	_, height, width, crop := j.Data.Geometry()
	varies := crop > 0 && (crop != height || crop != width) && !j.CenterCrop
	if j.Mirror || varies {
		return nil, nil
	}
	o := evalOptions(j.Data, 1, len(j.Classes))
	j.training(&o)
	f, err := compile.Freeze(j.Model, o)
	if err != nil {
		return nil, &CompileError{What: "frozen", Err: err}
	}
	return f, nil
}

// training sets the options of a training step.
func (j *Job) training(o *compile.Options) {
	o.Target, o.Deterministic, o.Precision = j.Target, j.Deterministic, j.Precision
	o.Loss, o.LabelSmoothing, o.FocalGamma, o.ExtraOutputs = j.Loss, j.LabelSmoothing, j.FocalGamma, j.ExtraOutputs
	o.Optimizer, o.Momentum, o.Hyper = j.Optimizer, j.Momentum, j.Hyper
	o.Decay, o.Rates = j.WeightDecay, j.Rates
	o.ClipNorm, o.ClipValue, o.Average = j.ClipNorm, j.ClipValue, j.Average
}
