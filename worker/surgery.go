package worker

import (
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/surgery"
)

// surgeryStep is a step of a sweep file in the words of package surgery.
func surgeryStep(s plan.Step) surgery.Step {
	step := surgery.Step{CutAfter: s.CutAfter, ToFullyConvolutional: s.ToFullyConvolutional, Freeze: s.Freeze}
	switch {
	case s.Append != nil:
		l := s.Append
		step.Append = &surgery.NewLayer{
			Name: l.Name, Kind: l.Kind, Outputs: l.Outputs, Kernel: l.Kernel, Stride: l.Stride, Pad: l.Pad, Groups: l.Groups,
			Ratio: l.Ratio, Init: filler(l.Init),
		}
	case s.InsertAfter != nil:
		l := s.InsertAfter
		step.InsertAfter = &surgery.Insertion{After: l.After, Layer: surgery.NewLayer{Name: l.Name, Kind: l.Kind, Ratio: l.Ratio}}
	case s.InsertProbe != nil:
		l := s.InsertProbe
		step.InsertProbe = &surgery.Probe{After: l.After, Name: l.Name, Outputs: l.Outputs, Init: filler(l.Init)}
	case s.Replace != nil:
		l := s.Replace
		step.Replace = &surgery.Layer{Name: l.Name, Outputs: l.Outputs, Init: filler(l.Init)}
	case s.Rename != nil:
		step.Rename = &surgery.Rename{From: s.Rename.From, To: s.Rename.To}
	case s.Reinit != nil:
		step.Reinit = &surgery.Reinit{Layers: s.Reinit.Layers, Init: filler(s.Reinit.Init)}
	}
	return step
}

func filler(i plan.Init) surgery.Init {
	return surgery.Init{
		Gaussian: i.Gaussian, Xavier: i.Xavier, MSRA: i.MSRA, Uniform: i.Uniform, Constant: i.Constant, Bilinear: i.Bilinear, Bias: i.Bias,
	}
}

// SurgerySteps are the steps of a sweep file in the words of package surgery.
func SurgerySteps(steps []plan.Step) []surgery.Step {
	out := make([]surgery.Step, len(steps))
	for i, s := range steps {
		out[i] = surgeryStep(s)
	}
	return out
}
