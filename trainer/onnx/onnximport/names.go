package onnximport

import (
	"fmt"
	"strings"

	"orchestrator/trainer/onnx"
)

// nameLayers gives every node a unique name that people know: the stem of its
// parameters' names (conv10 for conv10_w_0 and conv10_b_0), else the file's name
// for the node, else that of its first output.
func (im *importer) nameLayers() {
	taken := map[string]bool{}
	for _, n := range im.graph.Nodes {
		name := im.stem(n)
		if name == "" {
			name = strings.Trim(n.Name, "/")
		}
		if name == "" {
			name = n.Outputs[0]
		}
		unique := name
		for i := 2; taken[unique]; i++ {
			unique = fmt.Sprintf("%s_%d", name, i)
		}
		taken[unique] = true
		n.Name = unique
	}
}

// nameParameters takes the characters out of parameters' names by which programs
// tell the new value of a parameter (w') and its blocks (w#0).
func (im *importer) nameParameters() {
	clean := strings.NewReplacer("'", "_", "#", "_")
	for _, t := range im.graph.Initializers {
		to := clean.Replace(t.Name)
		if !t.Param || to == t.Name {
			continue
		}
		to = im.unusedName(to)
		for _, n := range im.graph.Nodes {
			for i, in := range n.Inputs {
				if in == t.Name {
					n.Inputs[i] = to
				}
			}
		}
		t.Name = to
	}
}

// roles are the endings by which exporters tell a layer's parameters apart,
// longest first where one ends another.
var roles = []string{
	"running_mean", "running_var", "weight", "bias", "gamma", "beta", "kernel", "scale", "shift", "mean", "var",
	"riv", "rm", "w", "b", "s", "W", "B",
}

// stem is what a node's parameters are named after, or "".
func (im *importer) stem(n *onnx.Node) string {
	for _, in := range n.Inputs {
		if t := im.consts[in]; t != nil && t.Param {
			return trimRole(in)
		}
	}
	return ""
}

// trimRole takes a counter such as _0 and a role such as _w or .weight off a
// parameter's name; it is empty where no role is found.
func trimRole(name string) string {
	base := strings.TrimRight(name, "0123456789")
	if base != name && strings.HasSuffix(base, "_") {
		base = strings.TrimSuffix(base, "_")
	} else {
		base = name
	}
	for _, role := range roles {
		if rest, ok := strings.CutSuffix(base, role); ok && rest != "" {
			if trimmed := strings.TrimRight(rest, "._/"); trimmed != rest && trimmed != "" {
				return trimmed
			}
		}
	}
	return ""
}
