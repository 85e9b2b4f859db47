package compile

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"orchestrator/trainer/onnx"
)

// WriteText prints a description, a line for each value that is fed or kept and
// for each node:
//
//	conv1 = Conv(images, param:conv1_w, param:conv1_b) pads=[1 1 1 1]   2×4×6×6
//
// Shapes are of float values where no type stands before them. Constants stand
// where they are used. In the backward section a comment says which value it is
// whose gradient a node ends with.
func (d *Description) WriteText(w io.Writer) error {
	p := &printer{w: w, short: d.shortNames()}
	p.line("graph %s: %s", d.Name, d.summary())
	p.title("inputs")
	rows := make([][]string, len(d.Inputs))
	for i, in := range d.Inputs {
		rows[i] = []string{in.Name, in.shapeText()}
	}
	p.table(rows)
	p.state(d)
	for _, s := range d.Sections {
		p.section(s)
	}
	p.title("outputs")
	p.line("  %s", strings.Join(d.Outputs, ", "))
	return p.err
}

// summary counts the nodes of each section, and the numbers that are kept.
func (d *Description) summary() string {
	var parts []string
	nodes := 0
	for _, s := range d.Sections {
		nodes += len(s.Nodes)
		parts = append(parts, fmt.Sprintf("%s %d", s.Name, len(s.Nodes)))
	}
	numbers := 0
	for _, s := range d.State {
		numbers += onnx.NumElements(s.Shape)
	}
	return fmt.Sprintf("%d nodes (%s), %d tensors with %d numbers kept", nodes, strings.Join(parts, ", "), len(d.State), numbers)
}

// shortNames are the names without their scopes, of those values that the
// compiler named, where they are unique: a section and a layer stand above them.
func (d *Description) shortNames() map[string]string {
	count, names := map[string]int{}, map[string]string{}
	each := func(name string, generated bool) {
		last := name[strings.LastIndex(name, "/")+1:]
		count[name]++
		if generated && last != name {
			count[last]++
			names[name] = last
		}
	}
	for _, in := range d.Inputs {
		each(in.Name, false)
	}
	for _, s := range d.State {
		each(s.Name, false)
	}
	for _, s := range d.Sections {
		for _, n := range s.Nodes {
			for _, v := range n.Outputs {
				each(v.Name, s.Name != "forward" && strings.HasPrefix(v.Name, n.Name))
			}
		}
	}
	maps.DeleteFunc(names, func(_, short string) bool { return count[short] > 1 })
	return names
}

// printer writes lines until one fails.
type printer struct {
	w     io.Writer
	short map[string]string
	err   error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

func (p *printer) title(name string) { p.line("\n%s", name) }

// widest is where columns stop to align: longer cells push the rest of their row.
const widest = 72

// table prints rows in columns.
func (p *printer) table(rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if n := utf8.RuneCountInString(cell); n <= widest {
				widths[i] = max(widths[i], n)
			}
		}
	}
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += "  " + cell + strings.Repeat(" ", max(0, widths[i]-utf8.RuneCountInString(cell)))
		}
		p.line("%s", line)
	}
}

// state prints the slots with what happens to them.
func (p *printer) state(d *Description) {
	if len(d.State) == 0 {
		return
	}
	p.title("state")
	rows := make([][]string, len(d.State))
	for i, s := range d.State {
		about := s.Kind
		switch {
		case s.InPlace:
			about += ", updated in place"
		case s.Updated:
			about += ", updated"
		}
		rows[i] = []string{s.Name, s.shapeText(), about}
	}
	p.table(rows)
}

func (p *printer) section(s Section) {
	p.title(s.Name)
	if s.Name == "forward" {
		p.nodes(s.Nodes, true)
		return
	}
	for len(s.Nodes) > 0 {
		layer := s.Nodes[0].Layer
		end := slices.IndexFunc(s.Nodes, func(n DescribedNode) bool { return n.Layer != layer })
		if end < 0 {
			end = len(s.Nodes)
		}
		if layer != "" {
			p.line("  # %s", layer)
		}
		p.nodes(s.Nodes[:end], false)
		s.Nodes = s.Nodes[end:]
	}
}

// nodes prints nodes; named adds the layers' names where they are not those of
// the values.
func (p *printer) nodes(nodes []DescribedNode, named bool) {
	rows := make([][]string, len(nodes))
	for i, n := range nodes {
		shapes, of := []string{}, []string{}
		for _, v := range n.Outputs {
			if v.Name == "" {
				continue
			}
			shapes = append(shapes, v.shapeText())
			for _, value := range v.GradientOf {
				of = append(of, p.name(value))
			}
		}
		rows[i] = []string{p.expression(n), strings.Join(shapes, ", ")}
		switch {
		case len(of) > 0:
			rows[i] = append(rows[i], "# gradient of "+strings.Join(of, ", "))
		case named && n.Name != n.Outputs[0].Name:
			rows[i] = append(rows[i], "# "+n.Name)
		}
	}
	p.table(rows)
}

// expression is what a node computes, as an assignment.
func (p *printer) expression(n DescribedNode) string {
	outs, ins := make([]string, 0, len(n.Outputs)), make([]string, len(n.Inputs))
	for _, v := range n.Outputs {
		outs = append(outs, p.name(v.Name))
	}
	for i, in := range n.Inputs {
		ins[i] = p.name(in)
	}
	text := fmt.Sprintf("%s = %s(%s)", strings.Join(outs, ", "), n.Op, strings.Join(ins, ", "))
	for _, key := range slices.Sorted(maps.Keys(n.Attributes)) {
		text += fmt.Sprintf(" %s=%v", key, n.Attributes[key])
	}
	return text
}

// name is how a value is written: without its scope where that is clear, and _
// where there is none.
func (p *printer) name(value string) string {
	if short, ok := p.short[value]; ok {
		return short
	}
	if value == "" {
		return "_"
	}
	return value
}

// shapeText is 2×3×224×224, or "scalar", with the type before it if it is not float.
func (v DescribedValue) shapeText() string {
	text := "scalar"
	if len(v.Shape) > 0 {
		text = strings.Trim(strings.ReplaceAll(fmt.Sprint(v.Shape), " ", "×"), "[]")
	}
	if v.Type != onnx.Float.String() {
		text = v.Type + " " + text
	}
	return text
}
