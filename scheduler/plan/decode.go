package plan

import (
	"fmt"
	"math"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// decoder writes a YAML tree into a struct by its yaml tags. It is strict:
// unknown and repeated keys, empty values and values of another type are
// problems, and nothing is converted silently.
type decoder struct {
	problems  *problems
	positions map[string]position // of each key met, by dotted path
	failed    failures
}

// failures are the fields that could not be read. Their values mean nothing, so
// no rule is held against them.
type failures map[string]bool

// add marks a field and, as "field.", every section around it.
func (f failures) add(field string) {
	f[field] = true
	for dot := strings.LastIndexByte(field, '.'); dot >= 0; dot = strings.LastIndexByte(field, '.') {
		field = field[:dot]
		f[field+"."] = true
	}
}

// touch tells whether the field, a section around it or a part of it failed.
func (f failures) touch(field string) bool {
	if f[field] || f[field+"."] {
		return true
	}
	for dot := strings.LastIndexByte(field, '.'); dot >= 0; dot = strings.LastIndexByte(field, '.') {
		field = field[:dot]
		if f[field] {
			return true
		}
	}
	return false
}

// nodeDecoder is implemented by types that a file writes in another shape.
type nodeDecoder interface {
	decodeNode(d *decoder, n *yaml.Node, field string)
}

func (d *decoder) bad(n *yaml.Node, field, problem, try string) {
	d.problems.add(at(n), field, problem, try)
	d.failed.add(field)
}

// value decodes one node into v.
func (d *decoder) value(n *yaml.Node, v reflect.Value, field string) {
	if n.ShortTag() == "!!null" {
		d.bad(n, field, "is empty", "give it a value or remove the key")
		return
	}
	if custom, ok := v.Addr().Interface().(nodeDecoder); ok {
		custom.decodeNode(d, n, field)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, field)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.value(n, v.Elem(), field)
	case reflect.Slice:
		d.slice(n, v, field)
	default:
		d.scalar(n, v, field)
	}
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, field, "must be a mapping, but is "+describe(n), "its keys: "+list(childKeys(v.Type())))
		return
	}
	targets := map[string]reflect.Value{}
	eachField(v.Type(), func(key string, f reflect.StructField) {
		targets[key] = v.FieldByIndex(f.Index)
	})
	d.keys(n, field, func(key, value *yaml.Node, child string) {
		target, known := targets[key.Value]
		if !known {
			problem, try := unknownKey(v.Type(), field, key.Value)
			d.bad(key, child, problem, try)
			return
		}
		d.value(value, target, child)
	})
}

// keys visits a mapping's entries, refuses repeated keys, and notes where each is.
func (d *decoder) keys(n *yaml.Node, field string, visit func(key, value *yaml.Node, child string)) {
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := join(field, key.Value)
		if line, repeated := lines[key.Value]; repeated {
			d.bad(key, child, fmt.Sprintf("is set twice, first in line %d", line), "keep one of them")
			continue
		}
		lines[key.Value] = key.Line
		d.positions[child] = at(key)
		visit(key, value, child)
	}
}

func (d *decoder) slice(n *yaml.Node, v reflect.Value, field string) {
	if n.Kind != yaml.SequenceNode {
		d.bad(n, field, "must be a list, but is "+describe(n), "write it in brackets, as [a, b]")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		child := join(field, strconv.Itoa(i))
		d.positions[child] = at(item)
		d.value(item, out.Index(i), child)
	}
	v.Set(out)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, field string) {
	var err error
	switch v.Kind() {
	case reflect.String:
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
			d.bad(n, field, "must be text, but is "+describe(n), textHint(n))
			return
		}
		v.SetString(n.Value)
	case reflect.Bool:
		var b bool
		b, err = boolean(n)
		v.SetBool(b)
	case reflect.Int, reflect.Int64:
		var i int64
		i, err = integer(n)
		v.SetInt(i)
	case reflect.Float64:
		var f float64
		f, err = float(n)
		v.SetFloat(f)
	default:
		panic("plan: no decoder for " + v.Type().String())
	}
	if err != nil {
		d.bad(n, field, err.Error(), numberHint(n, v.Kind()))
	}
}

func textHint(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode {
		return fmt.Sprintf("put it in quotes: %q", n.Value)
	}
	return ""
}

func numberHint(n *yaml.Node, kind reflect.Kind) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" {
		return ""
	}
	if kind == reflect.Bool {
		return "write true or false"
	}
	if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
		return "write it without quotes"
	}
	return ""
}

func boolean(n *yaml.Node) (bool, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" {
		return false, fmt.Errorf("must be true or false, but is %s", describe(n))
	}
	var b bool
	err := n.Decode(&b)
	return b, err
}

// integer reads a whole number that JSON can carry exactly.
func integer(n *yaml.Node) (int64, error) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" {
		return 0, fmt.Errorf("must be a whole number, but is %s", describe(n))
	}
	const largest = 1 << 53
	var i int64
	if err := n.Decode(&i); err != nil || i > largest || i < -largest {
		return 0, fmt.Errorf("is %s, but whole numbers are at most 2^53", n.Value)
	}
	return i, nil
}

func float(n *yaml.Node) (float64, error) {
	if tag := n.ShortTag(); n.Kind != yaml.ScalarNode || tag != "!!int" && tag != "!!float" {
		return 0, fmt.Errorf("must be a number, but is %s", describe(n))
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, fmt.Errorf("must be a finite number, but is %s", n.Value)
	}
	return f, nil
}

// decodeNode reads balanced, or a mapping from classes to factors.
func (w *ClassWeights) decodeNode(d *decoder, n *yaml.Node, field string) {
	const try = `write balanced, or factors of the classes, as {bees: 2}`
	if n.Kind == yaml.ScalarNode && n.Value == "balanced" {
		*w = ClassWeights{Balanced: true}
		return
	}
	if n.Kind != yaml.MappingNode || len(n.Content) == 0 {
		d.bad(n, field, "must be balanced or a mapping from classes to factors, but is "+describe(n), try)
		return
	}
	*w = ClassWeights{}
	d.keys(n, field, func(key, value *yaml.Node, child string) {
		var x float64
		d.scalar(value, reflect.ValueOf(&x).Elem(), child)
		if x < 0 || x > 1e6 {
			d.bad(key, child, fmt.Sprintf("must be from 0 to 1000000, but is %v", x), "")
		}
		w.Classes = append(w.Classes, ClassWeight{Class: key.Value, Weight: x})
	})
	slices.SortFunc(w.Classes, func(a, b ClassWeight) int { return strings.Compare(a.Class, b.Class) })
}

// decodeNode reads auto or a number.
func (m *MicroBatch) decodeNode(d *decoder, n *yaml.Node, field string) {
	if n.Kind == yaml.ScalarNode && n.Value == "auto" {
		*m = AutoMicroBatch
		return
	}
	var i int
	d.scalar(n, reflect.ValueOf(&i).Elem(), field)
	*m = MicroBatch(i)
}

// bytesPattern is a number with a unit: powers of 1024, or of 1000 without the i.
var bytesPattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([KMGT])(i?)B$`)

// decodeNode reads a size with its unit.
func (b *Bytes) decodeNode(d *decoder, n *yaml.Node, field string) {
	const try = "write a number with a unit, as 8GiB or 500MB"
	if n.Kind != yaml.ScalarNode || !bytesPattern.MatchString(n.Value) {
		d.bad(n, field, "must be a size of memory, but is "+describe(n), try)
		return
	}
	var ok bool
	if *b, ok = ParseBytes(n.Value); !ok {
		d.bad(n, field, "is no size that a machine has: "+describe(n), try)
	}
}

// ParseBytes reads a size with its unit, as 8GiB or 500MB.
func ParseBytes(text string) (Bytes, bool) {
	m := bytesPattern.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	x, err := strconv.ParseFloat(m[1], 64)
	base := 1000.0
	if m[3] != "" {
		base = 1024
	}
	x *= math.Pow(base, float64(1+strings.Index("KMGT", m[2])))
	if err != nil || x < 1 || x >= 1<<53 {
		return 0, false
	}
	return Bytes(x), true
}

// secondsPattern is a time as 2d, 12h30m or 90m.
var secondsPattern = regexp.MustCompile(`^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$`)

// ParseSeconds reads a time as 2d, 12h30m or 90m.
func ParseSeconds(text string) (Seconds, bool) {
	m := secondsPattern.FindStringSubmatch(text)
	if m == nil || text == "" {
		return 0, false
	}
	sum := 0.0
	for i, unit := range []float64{86400, 3600, 60, 1} {
		if m[i+1] != "" {
			n, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, false
			}
			sum += n * unit
		}
	}
	return Seconds(sum), sum >= 1 && sum < 1<<40
}

func (s *Seconds) decodeNode(d *decoder, n *yaml.Node, field string) {
	x, ok := ParseSeconds(n.Value)
	if n.Kind != yaml.ScalarNode || !ok {
		d.bad(n, field, "must be a time, but is "+describe(n), "write it with units, as 12h30m, 90m or 2d")
		return
	}
	*s = x
}

// decodeNode reads one length or a list of one or two.
func (s *Size) decodeNode(d *decoder, n *yaml.Node, field string) {
	if n.Kind == yaml.ScalarNode {
		*s = Size{0}
		d.scalar(n, reflect.ValueOf(&(*s)[0]).Elem(), field)
		return
	}
	d.slice(n, reflect.ValueOf(s).Elem(), field)
	if n.Kind == yaml.SequenceNode && len(*s) != 1 && len(*s) != 2 {
		d.bad(n, field, fmt.Sprintf("has %d lengths", len(*s)), "write one number or [height, width]")
	}
}

// decodeNode reads a mapping from globs to a number or {weight:, bias:}. It
// keeps the order of the file.
func (s *Factors) decodeNode(d *decoder, n *yaml.Node, field string) {
	if n.Kind != yaml.MappingNode {
		d.bad(n, field, "must be a mapping from layers to factors, but is "+describe(n), `write {"fc8*": 10}`)
		return
	}
	*s = make(Factors, 0, len(n.Content)/2)
	d.keys(n, field, func(key, value *yaml.Node, child string) {
		factor := Factor{Glob: key.Value, Weight: 1, Bias: 1}
		if _, err := path.Match(key.Value, ""); err != nil || key.Value == "" {
			d.bad(key, child, "is not a pattern for names", "* stands for any characters, ? for one, [ab] for one of a and b")
		}
		if value.Kind == yaml.MappingNode {
			d.structure(value, reflect.ValueOf(&factor).Elem(), child)
		} else {
			d.scalar(value, reflect.ValueOf(&factor.Weight).Elem(), child)
			factor.Bias = factor.Weight
		}
		if factor.Weight < 0 || factor.Bias < 0 {
			d.bad(key, child, "must not be negative", "0 freezes the layer")
		}
		*s = append(*s, factor)
	})
}
