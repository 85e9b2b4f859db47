package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"orchestrator/trainer/ort"
	"orchestrator/worker/device"
	"orchestrator/worker/providers"
)

// foundDevice is a CUDA device of this machine, and whether the library can use it.
type foundDevice struct {
	device.GPU
	// Versions are of what the library has loaded for it; nil: it was not tried.
	Versions map[string]string `json:"versions,omitempty"`
	Error    string            `json:"error,omitempty"`
}

// String says all that is known of it.
func (d foundDevice) String() string {
	text := d.GPU.String()
	for _, known := range []struct{ what, value string }{{"driver", d.Driver}, {"for CUDA up to", d.CUDA}, {"compute capability", d.Capability}, {"", d.UUID}} {
		if known.value != "" {
			text += ", " + strings.TrimSpace(known.what+" "+known.value)
		}
	}
	if len(d.Versions) > 0 {
		text += ", loaded " + describeVersions(d.Versions)
	}
	return text
}

// checkDevices lists the CUDA devices, with what the library makes of each. A machine
// without any is well; one with a device that --devices asks for and that cannot be used
// is not, nor one whose library is for CUDA and does not get to it.
func (a *app) checkDevices(ctx context.Context) finding {
	h, err := a.findDevices(ctx)
	if err != nil {
		return finding{}.with(err)
	}
	f := finding{OK: true, Detail: "the processors", Notes: h.found.Notes}
	if h.found.Hidden != "" && len(h.found.GPUs) > 0 {
		f.Notes = append(f.Notes, h.found.Hidden)
	}
	for _, g := range h.found.GPUs {
		f.Devices = append(f.Devices, foundDevice{GPU: g})
	}
	switch {
	case !h.choice.Auto && !h.choice.WantsCUDA():
		f.Detail += " alone (--devices " + h.choice.String() + ")"
		return f
	case h.failed != nil && h.forCUDA:
		return f.with(h.failed)
	case h.failed != nil:
		f.Detail += fmt.Sprintf("; %v", h.failed)
		return f
	case len(h.found.GPUs) == 0:
		f.Detail += "; " + h.found.String()
		return f
	case h.choice.Auto && !h.forCUDA:
		f.Detail += "; CUDA devices are left alone, as the library " + h.library + " has no part for CUDA (docs/gpu.md says how to get one)"
		return f
	}
	return a.tryFound(ctx, h, f)
}

// tryFound tries each device of the choice.
func (a *app) tryFound(ctx context.Context, h *hosted, f finding) finding {
	gpus := h.found.GPUs
	var err error
	if !h.choice.Auto {
		if gpus, err = h.pick(h.choice); err != nil {
			return f.with(err)
		}
	}
	f.Detail = fmt.Sprintf("%d for CUDA", len(gpus))
	f.Devices = nil
	for _, g := range gpus {
		d := foundDevice{GPU: g}
		answer, failed := a.try(ctx, "cuda", g.Env(), false)
		if failed == nil {
			failed = answer.Failure()
		}
		d.Versions = answer.Versions
		if answer.Version != "" { // of a library that may be another than the processors'
			f.Detail = fmt.Sprintf("%d for CUDA, by ONNX Runtime %s, %s", len(gpus), answer.Version, answer.Library)
		}
		if failed != nil {
			d.Error = failed.Error()
			err = cmp.Or[error](err, &deviceError{g, failed})
		}
		f.Devices = append(f.Devices, d)
	}
	return f.with(err)
}

// describeVersions lists versions by their names.
func describeVersions(versions map[string]string) string {
	words := make([]string, 0, len(versions))
	for _, name := range slices.Sorted(maps.Keys(versions)) {
		words = append(words, name+" "+versions[name])
	}
	return strings.Join(words, ", ")
}

// triedProvider is a line of the table of execution providers.
type triedProvider struct {
	Provider string `json:"provider"` // the library's name
	Device   string `json:"device,omitempty"`
	Opens    bool   `json:"opens"`
	// Nodes of the small network that the provider leaves to the CPU.
	LeftToCPU *int     `json:"left_to_cpu,omitempty"`
	LeftNodes []string `json:"left_nodes,omitempty"` // by graph and operator
	// Deviation is the largest difference of a loss from the CPU's, as a part of it.
	Deviation *float64 `json:"largest_deviation,omitempty"`
	// StepTime is a step's time in times of the CPU's.
	StepTime *float64            `json:"step_time_by_cpu,omitempty"`
	Trained  []providers.Trained `json:"trained,omitempty"`
	Versions map[string]string   `json:"versions,omitempty"`
	Error    string              `json:"error,omitempty"`
	Hint     string              `json:"hint,omitempty"`

	asked bool // by name
}

// runProviders tries the execution providers that the library was built with, or
// those that are named, and prints what they can do.
func runProviders(ctx context.Context, a *app, names []string, train bool) error {
	reference, err := a.try(ctx, "cpu", device.NoGPU(), train)
	if err != nil {
		return err
	}
	if err := reference.Failure(); err != nil {
		return err // nothing works without it
	}
	rows, err := a.providerRows(ctx, names, reference.Providers)
	if err != nil {
		return err
	}
	found, _ := device.Find(ctx) // where it fails the provider says why
	var env []string
	if len(found.GPUs) > 0 {
		env = found.GPUs[0].Env()
	}
	failed := 0
	for i := range rows {
		row := &rows[i]
		if row.Device == "" {
			row.Error = "this program has no use for it"
			continue
		}
		answer := reference
		if row.Device != "cpu" {
			if answer, err = a.try(ctx, row.Device, env, train); err != nil {
				return err
			}
		}
		row.judge(answer, reference)
		if row.asked && row.Error != "" {
			failed++
		}
	}
	if err := printProviders(a, rows, train); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of the providers that were named cannot be used", failed)
	}
	return nil
}

// providerRows are the lines of the table: a name may be the library's or the device's.
func (a *app) providerRows(ctx context.Context, names, built []string) ([]triedProvider, error) {
	var rows []triedProvider
	if len(names) == 0 {
		built = slices.Clone(built)
		if h, err := a.findDevices(ctx); err == nil && h.forCUDA { // of another library than the processors'
			built = append([]string{ort.ProviderOf("cuda")}, built...)
		}
		for i, name := range built {
			if !slices.Contains(built[:i], name) {
				rows = append(rows, triedProvider{Provider: name, Device: ort.DeviceOf(name)})
			}
		}
		return rows, nil
	}
	for _, name := range names {
		kind := cmp.Or(ort.DeviceOf(name), name)
		if !slices.Contains(ort.Devices, kind) {
			return nil, usagef("one of "+strings.Join(ort.Devices, ", "), "--providers: %q is not known", name)
		}
		rows = append(rows, triedProvider{Provider: ort.ProviderOf(kind), Device: kind, asked: true})
	}
	return rows, nil
}

// tolerance is how far losses may be from the CPU's for a provider to count as right:
// float32 in another order of summing stays a hundred times below in so few steps.
const tolerance = 0.02

// judge fills in the line from what the provider and the CPU answered.
func (p *triedProvider) judge(answer, reference providers.Answer) {
	p.Opens, p.Versions, p.Error, p.Hint = answer.Opens, answer.Versions, answer.Error, answer.Hint
	if strings.HasPrefix(p.Hint, "orchestrator doctor") {
		p.Hint = "" // that is us
	}
	if answer.Opens {
		left := answer.Left()
		p.LeftToCPU = &left
		for _, nodes := range answer.LeftToCPU {
			p.LeftNodes = append(p.LeftNodes, nodes.String())
		}
	}
	p.Trained = answer.Trained
	for _, t := range answer.Trained {
		if t.Error != "" {
			p.complain(fmt.Sprintf("%s does not train: %s", t.Network, t.Error))
		}
	}
	c, ok := answer.Compare(reference)
	if !ok {
		return
	}
	p.Deviation, p.StepTime = &c.Deviation, &c.StepTime
	if c.Deviation > tolerance {
		p.complain(fmt.Sprintf("it learns something else than the CPU: a loss deviates by %.2g of it", c.Deviation))
	}
}

func (p *triedProvider) complain(problem string) {
	if p.Error != "" {
		p.Error += "; "
	}
	p.Error += problem
}

func printProviders(a *app, rows []triedProvider, train bool) error {
	if a.config.Output == "json" {
		return printJSON(a.out, rows)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	head := []string{"provider", "opens", "nodes left to the CPU"}
	if train {
		head = append(head, "largest deviation", "step time / CPU's")
	}
	fmt.Fprintln(w, strings.Join(append(head, "notes"), "\t"))
	for _, row := range rows {
		cells := []string{row.Provider, map[bool]string{true: "yes", false: "no"}[row.Opens], cell("%d", row.LeftToCPU)}
		if train {
			cells = append(cells, cell("%.2g", row.Deviation), cell("%.2f", row.StepTime))
		}
		fmt.Fprintln(w, strings.Join(append(cells, row.note()), "\t"))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, row := range rows {
		if row.Hint != "" {
			fmt.Fprintf(a.out, "%s: try: %s\n", row.Provider, row.Hint)
		}
	}
	return nil
}

func cell[T any](format string, value *T) string {
	if value == nil {
		return "-"
	}
	return fmt.Sprintf(format, *value)
}

// note is the last cell: what is wrong, else which libraries are in use.
func (p *triedProvider) note() string {
	if p.Error != "" {
		return strings.ReplaceAll(p.Error, "\n", " ")
	}
	return describeVersions(p.Versions)
}

// providerNames reads --providers, whose value may be left out.
func providerNames(text string) ([]string, error) {
	if text == allProviders {
		return nil, nil
	}
	names := strings.Split(text, ",")
	if slices.Contains(names, "") {
		return nil, usagef("--providers, or --providers=cuda,cpu", "--providers=%s names nothing somewhere", text)
	}
	return names, nil
}

// allProviders is what --providers stands for without a value.
const allProviders = "all"
