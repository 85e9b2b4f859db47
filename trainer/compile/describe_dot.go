package compile

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
)

// sectionColours tell the parts of a step apart.
var sectionColours = map[string]string{
	"input": "#f2f2f2", "forward": "#dceefb", "loss": "#fff3c4", "scores": "#fff3c4", "backward": "#fde2dd",
	"statistics": "#e9e3f7", "clip": "#fdeccf", "update": "#dff3df",
}

// WriteDot prints a description in the language of Graphviz: a box for each
// section, an arrow for each value from where it is computed to where it is used.
// Values that are fed or kept are nodes, too; constants are left out.
func (d *Description) WriteDot(w io.Writer) error {
	p := &printer{w: w, short: d.shortNames()}
	p.line("digraph %s {", strconv.Quote(d.Name))
	p.line("  rankdir=TB; node [shape=box, style=filled, fontname=\"Helvetica\", fontsize=10];")
	from := map[string]string{} // value -> the dot node that has it
	for i, v := range d.Inputs {
		from[v.Name] = fmt.Sprintf("i%d", i)
		p.line("  i%d [label=%s, shape=ellipse, fillcolor=white];", i, strconv.Quote(v.Name+"\n"+v.shapeText()))
	}
	for i, s := range d.State {
		from[s.Name] = fmt.Sprintf("s%d", i)
		p.line("  s%d [label=%s, shape=cylinder, fillcolor=white];", i, strconv.Quote(s.Name+"\n"+s.shapeText()))
	}
	for i, s := range d.Sections {
		p.line("  subgraph cluster_%s {", s.Name)
		p.line("    label=%q; style=filled; color=%q;", s.Name, sectionColours[s.Name])
		for k, n := range s.Nodes {
			id := fmt.Sprintf("n%d_%d", i, k)
			for _, v := range n.Outputs {
				from[v.Name] = id
			}
			label := n.Op + "\n" + p.name(n.Outputs[0].Name) + "\n" + n.Outputs[0].shapeText()
			p.line("    %s [label=%s, fillcolor=white];", id, strconv.Quote(label))
		}
		p.line("  }")
	}
	p.edges(d, from)
	p.line("}")
	return p.err
}

// edges writes the arrows, and those with which updated slots go into the next
// step, dashed.
func (p *printer) edges(d *Description, from map[string]string) {
	for i, s := range d.Sections {
		for k, n := range s.Nodes {
			for _, in := range n.Inputs {
				if source := cmp.Or(from[in], from[slotOf(in)]); source != "" {
					p.line("  %s -> n%d_%d;", source, i, k)
				}
			}
		}
	}
	for i, s := range d.State {
		if source := cmp.Or(from[s.Name+"'"], from[BlockName(s.Name, 0)+"'"]); source != "" {
			p.line("  %s -> s%d [style=dashed, constraint=false];", source, i)
		}
	}
}
