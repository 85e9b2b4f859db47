package plan

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Limits on what a sweep file may hold, far above any real one. They keep a file
// whose aliases multiply, or nest without end, from using up the memory.
const (
	maxBytes = 1 << 20
	maxNodes = 100_000
	maxDepth = 50
)

// readDocument parses a file with one YAML mapping into a tree without aliases
// and merge keys.
func readDocument(data []byte, p *problems) *yaml.Node {
	if len(data) > maxBytes {
		p.add(position{}, "", fmt.Sprintf("the file has %d bytes; a sweep has at most %d", len(data), maxBytes), "is this the sweep file?")
		return nil
	}
	root, second, err := parseYAML(data)
	if second != nil {
		p.add(at(second), "", "a second document begins here", "put each sweep into a file of its own")
		return nil
	}
	if err != nil {
		line, text := syntaxError(err)
		p.add(position{line, 1}, "", "is not valid YAML: "+text, "check the indentation, colons and brackets around this line")
		return nil
	}
	if root == nil {
		p.add(position{}, "", "the file is empty", "see examples/quickstart.yaml for a first sweep")
		return nil
	}
	tree := (&expander{problems: p}).expand(root, 0)
	if tree == nil {
		return nil
	}
	if tree.Kind != yaml.MappingNode {
		p.add(at(tree), "", "a sweep is a mapping of settings, but this is "+describe(tree), "begin with name: my-sweep")
		return nil
	}
	return tree
}

// parseYAML returns the content of a file's first document, nil for an empty
// file, and the second document where there is one.
func parseYAML(data []byte) (root, second *yaml.Node, err error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var document, next yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	if err := decoder.Decode(&next); err == nil {
		second = &next
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	if len(document.Content) > 0 && document.Content[0].Tag != "!!null" {
		root = document.Content[0]
	}
	return root, second, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntaxError takes the line out of a message of the YAML library.
func syntaxError(err error) (line int, text string) {
	text = err.Error()
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	return line, text
}

// expander copies a tree with its aliases and merge keys written out.
type expander struct {
	problems *problems
	nodes    int
}

func (x *expander) expand(n *yaml.Node, depth int) *yaml.Node {
	for hops := 0; n.Kind == yaml.AliasNode && hops < maxDepth; hops++ {
		n = n.Alias
	}
	if x.nodes++; x.nodes > maxNodes || depth > maxDepth {
		if x.nodes < 2*maxNodes {
			x.problems.add(at(n), "", fmt.Sprintf("the file holds more than %d values or nests deeper than %d once its aliases are written out", maxNodes, maxDepth), "write the settings out without aliases")
		}
		x.nodes = 2 * maxNodes // stop everywhere
		return nil
	}
	out := *n
	out.Anchor, out.Alias, out.Content = "", nil, nil
	if n.Kind == yaml.ScalarNode && !x.problems.stored {
		x.oneReading(&out)
	}
	if n.Kind == yaml.MappingNode {
		return x.expandMapping(n, &out, depth)
	}
	for _, child := range n.Content {
		c := x.expand(child, depth+1)
		if c == nil {
			return nil
		}
		out.Content = append(out.Content, c)
	}
	return &out
}

var (
	leadingZero  = regexp.MustCompile(`^[-+]?0[0-9]+$`)
	binaryNumber = regexp.MustCompile(`^[-+]?0b`)
)

// oneReading refuses numbers that mean something else in YAML 1.1 than in YAML 1.2,
// which sweep files are in: 032 is 26 in one and 32 in the other. It goes on with the
// reading of 1.2.
func (x *expander) oneReading(n *yaml.Node) {
	if tag := n.ShortTag(); n.Style != 0 || tag != "!!int" && tag != "!!float" {
		return
	}
	digits := strings.ReplaceAll(n.Value, "_", "")
	decimal := leadingZero.MatchString(digits)
	if decimal {
		sign := strings.TrimSuffix(digits[:1], "0")
		digits = sign + cmp.Or(strings.TrimLeft(strings.TrimLeft(digits, "+-"), "0"), "0")
	}
	switch {
	case decimal:
		x.problems.add(at(n), "", fmt.Sprintf("%s has a leading zero: YAML 1.1 takes such numbers for octal, YAML 1.2 for decimal", n.Value),
			fmt.Sprintf("write %s, or '%s' in quotes for text", digits, n.Value))
	case digits != n.Value:
		x.problems.add(at(n), "", fmt.Sprintf("%s is a number in YAML 1.1 and text in YAML 1.2", n.Value), fmt.Sprintf("write %s, or '%s' in quotes for text", digits, n.Value))
	case binaryNumber.MatchString(digits):
		x.problems.add(at(n), "", fmt.Sprintf("%s is a binary number in YAML 1.1 and text in YAML 1.2", n.Value), fmt.Sprintf("write the number in decimal, or '%s' in quotes for text", n.Value))
	}
	if n.Value = digits; decimal {
		n.Tag = "!!int"
	}
}

func (x *expander) expandMapping(n, out *yaml.Node, depth int) *yaml.Node {
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], x.expand(n.Content[i+1], depth+1)
		if value == nil {
			return nil
		}
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, value)
		case key.Kind != yaml.ScalarNode:
			x.problems.add(at(key), "", "a key must be plain text", "")
			return nil
		default:
			k := *key
			k.Anchor = ""
			out.Content = append(out.Content, &k, value)
		}
	}
	for _, source := range merged {
		x.merge(out, source)
	}
	return out
}

// merge adds the keys of a << entry that the mapping does not set itself.
func (x *expander) merge(out, source *yaml.Node) {
	switch source.Kind {
	case yaml.SequenceNode:
		for _, item := range source.Content {
			x.merge(out, item)
		}
	case yaml.MappingNode:
		for i := 0; i < len(source.Content); i += 2 {
			if _, value := lookup(out, source.Content[i].Value); value == nil {
				out.Content = append(out.Content, source.Content[i], source.Content[i+1])
			}
		}
	default:
		x.problems.add(at(source), "<<", "merges "+describe(source)+", but only a mapping can be merged", "")
	}
}

// lookup finds a key and its value in a mapping; nil where there is none.
func lookup(mapping *yaml.Node, key string) (k, v *yaml.Node) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// clone copies a tree without aliases.
func clone(n *yaml.Node) *yaml.Node {
	out := *n
	out.Content = make([]*yaml.Node, len(n.Content))
	for i, child := range n.Content {
		out.Content[i] = clone(child)
	}
	return &out
}

// moved copies a tree and gives every node of it one position, that of the
// setting it comes from.
func moved(n *yaml.Node, to position) *yaml.Node {
	out := clone(n)
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		n.Line, n.Column = to.line, to.column
		for _, child := range n.Content {
			walk(child)
		}
	}
	walk(out)
	return out
}

// setPath writes a value at a dotted path below a mapping and makes the mappings
// on the way that are not there. A key that has dots itself, as parameters have, is
// found by as many parts of the path. In a list a part is an index. It reports what stands in the way. The keys that it writes are said to be at from.
func setPath(root *yaml.Node, path string, value *yaml.Node, from position) (problem string) {
	parts := strings.Split(path, ".")
	node := root
	for i := 0; i < len(parts); {
		here := strings.Join(parts[:i], ".")
		taken := longestKey(node, parts[i:])
		part := strings.Join(parts[i:i+taken], ".")
		i += taken
		last := i == len(parts)
		switch node.Kind {
		case yaml.MappingNode:
			key, child := lookup(node, part)
			if child == nil {
				key = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: part}
				child = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: from.line, Column: from.column}
				node.Content = append(node.Content, key, child)
				key.Line, key.Column = from.line, from.column
			}
			if last {
				key.Line, key.Column = from.line, from.column
				*child = *value
			}
			node = child
		case yaml.SequenceNode:
			index, err := strconv.Atoi(part)
			if err != nil || index < 0 || index >= len(node.Content) {
				return fmt.Sprintf("%s is a list of %d, so %q must be a number below that", here, len(node.Content), part)
			}
			node = node.Content[index]
			if last {
				*node = *value
			}
		default:
			return fmt.Sprintf("%s is %s, so it holds no %q", here, describe(node), part)
		}
	}
	return ""
}

// longestKey is how many parts of a path make a key that the mapping has; 1 where
// none do.
func longestKey(node *yaml.Node, parts []string) int {
	for n := len(parts); n > 1 && node.Kind == yaml.MappingNode; n-- {
		if key, _ := lookup(node, strings.Join(parts[:n], ".")); key != nil {
			return n
		}
	}
	return 1
}

// at is where a node is written.
func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// describe names a node's type and short value in messages.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	value := n.Value
	if r := []rune(value); len(r) > 40 {
		value = string(r[:40]) + "..."
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "the number " + value
	case "!!bool":
		return "the truth value " + value
	}
	return fmt.Sprintf("the text %q", value)
}

// plainValue turns a node into what JSON can hold: text, bool, int64, float64,
// []any and map[string]any.
func plainValue(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			v, err := plainValue(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			m[n.Content[i].Value] = v
		}
		return m, nil
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			v, err := plainValue(item)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return list, nil
	}
	return plainScalar(n)
}

func plainScalar(n *yaml.Node) (any, error) {
	switch n.ShortTag() {
	case "!!bool":
		return boolean(n)
	case "!!int":
		return integer(n)
	case "!!float":
		return float(n)
	case "!!str", "!!timestamp":
		return n.Value, nil
	case "!!null":
		return nil, fmt.Errorf("is empty")
	}
	return nil, fmt.Errorf("has the type %s, which no setting has", n.ShortTag())
}
