package trainer

import (
	"orchestrator/trainer/compile"
	"orchestrator/trainer/footprint"
	"orchestrator/trainer/onnx"
)

// Memory is what a job is predicted to take, in bytes. It is a function of the
// job alone, not of the machine: the same job has the same micro-batches
// everywhere.
//
// Files that are mapped, as decoded pictures and features are, do not count: the
// system takes their memory back when it needs it.
type Memory struct {
	Process  int64 // the program and the runtime's library
	Model    int64 // the network as it was read, and what reading leaves behind
	State    int64 // parameters, statistics, optimizer state, averages
	Values   int64 // intermediate values of all graphs: each keeps what it once took
	Sessions int64 // the graphs and their constants
	Batches  int64 // mini-batches in preparation
	Export   int64 // the trained network on its way to the store, after all else is given back
	Features int64 // the pass over the pictures before the training, where there is one
}

// Peak is the most at any time.
func (m Memory) Peak() int64 {
	training := m.State + max(m.Values+m.Sessions+m.Batches, m.Export)
	return m.Process + m.Model + max(m.Features, training)
}

// processBytes is what a trainer process has before it reads anything (25 MB
// measured), with room for what the Go runtime holds back.
const processBytes = 64 << 20

// Memory predicts what the job takes. Of its Data it needs the geometry alone,
// and of Train and Test how many there are. What it takes to compute its Features
// is for the caller to add.
func (j *Job) Memory() (Memory, error) {
	p, err := j.compile()
	if err != nil {
		return Memory{}, err
	}
	m := Memory{Process: processBytes, State: stateBytes(p.all()), Batches: j.batchBytes(p)}
	for _, t := range j.Model.Initializers {
		m.Model += 2 * 4 * int64(onnx.NumElements(t.Shape)) // the file, and the numbers read from it
	}
	m.Export = 5 * m.Model / 2 // a copy, its encoding, and the encoding's parts while they grow
	for _, program := range p.all() {
		f, err := footprint.Of(program.Graph)
		if err != nil {
			return Memory{}, err
		}
		m.Values += f.Arena()
		m.Sessions += f.Session()
	}
	return m, nil
}

// stateBytes is what newState allocates for the programs.
func stateBytes(programs []*compile.Program) int64 {
	own, beside := map[string]int64{}, map[string]int64{}
	for _, p := range programs {
		for _, s := range p.State {
			bytes := 4 * int64(onnx.NumElements(s.Shape))
			if s.Updated || s.Zero {
				own[s.Name] = bytes
			}
			if s.Updated && !s.InPlace {
				beside[s.Name] = bytes
			}
		}
	}
	sum := int64(0)
	for _, slots := range []map[string]int64{own, beside} {
		for _, bytes := range slots {
			sum += bytes
		}
	}
	return sum
}

// batchBytes is what the prefetcher's buffers take.
func (j *Job) batchBytes(p *programs) int64 {
	sum := int64(0)
	add := func(c content, rows int, masks []compile.Mask) {
		row := int64(12) // label and weight
		for _, v := range j.inputs(c, p.rest) {
			row += int64(onnx.NumElements(v.Shape)) * v.Type.Size()
		}
		for _, m := range masks {
			v := m.Value()
			row += v.Type.Size() * int64(onnx.NumElements(v.Shape[1:]))
		}
		sum += ahead * int64(rows) * row
	}
	add(content{}, j.evalBatch(), nil)
	if p.rest != nil {
		add(content{features: true}, j.evalBatch(), nil)
	}
	parts := (j.batch() + j.micro() - 1) / j.micro()
	add(content{train: true, features: p.rest != nil}, parts*j.micro(), p.masks())
	return sum
}
