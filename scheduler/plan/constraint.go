package plan

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// Limits on constraints. Nothing in them repeats (see allowed), so that these bound
// what working one out costs.
const (
	maxConstraints = 100
	maxExpression  = 1000 // characters
)

// constraint is a condition on a trial's settings.
//
// The language is Expr's and not CEL's: CEL has no product of a whole number and a
// fraction, and a batch size times a learning rate is what constraints are about.
type constraint struct {
	field   string
	program *vm.Program
	paths   []string // of settings that it reads
}

// constraintFunctions are all that a constraint may call: each is worked out in one
// go, and gives the same on every machine and day.
var constraintFunctions = []string{"abs", "ceil", "floor", "round", "min", "max", "len"}

// compileConstraints reads the constraints of a sweep, and reports what is wrong with
// them.
func (c *checker) compileConstraints(doc *document) []*constraint {
	if len(doc.Constraints) > maxConstraints {
		c.bad("constraints", fmt.Sprintf("has %d constraints; at most %d are looked at", len(doc.Constraints), maxConstraints), "")
		return nil
	}
	var all []*constraint
	known := newNames(doc.Parameters)
	for i, text := range doc.Constraints {
		field := fmt.Sprintf("constraints.%d", i)
		if c.failed.touch(field) || c.failed.touch("parameters") {
			continue
		}
		one, problem, try := newConstraint(text, known)
		if problem != "" {
			c.bad(field, problem, try)
			continue
		}
		one.field = field
		all = append(all, one)
	}
	return all
}

func newConstraint(text string, known names) (c *constraint, problem, try string) {
	const example = "write what has to hold, as training.batch_size * training.learning_rate <= 1"
	if len(text) > maxExpression {
		return nil, fmt.Sprintf("has %d characters; at most %d can be", len(text), maxExpression), "write several constraints"
	}
	tree, err := parser.Parse(text)
	if err != nil {
		return nil, explain(text, err), example
	}
	look := &reading{}
	ast.Walk(&tree.Node, look)
	if look.refused != "" {
		return nil, fmt.Sprintf("%q uses %s", text, look.refused), "compare and compute with values and settings; the functions are " + list(constraintFunctions)
	}
	for _, path := range look.paths {
		if !slices.Contains(known.paths, path) && !slices.ContainsFunc(known.paths, func(p string) bool { return overlap(p, path) }) {
			return nil, fmt.Sprintf("%q reads %s, which is no setting of a trial", text, path), known.suggest(path)
		}
	}
	options := []expr.Option{expr.Env(known.types), expr.AsBool(), expr.DisableAllBuiltins()}
	for _, name := range constraintFunctions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err := expr.Compile(text, options...)
	if err != nil {
		return nil, explain(text, err), example
	}
	return &constraint{program: program, paths: look.paths}, "", ""
}

// explain writes an error of the library in one line.
func explain(text string, err error) string {
	var at *file.Error
	if !errors.As(err, &at) {
		return fmt.Sprintf("%q: %v", text, err)
	}
	message, _, _ := strings.Cut(at.Message, "\n")
	return fmt.Sprintf("%q, character %d: %s", text, at.From+1, message)
}

// holds works the constraint out.
func (c *constraint) holds(settings map[string]any) (bool, error) {
	result, err := expr.Run(c.program, settings)
	if err != nil {
		var at *file.Error
		if errors.As(err, &at) {
			message, _, _ := strings.Cut(at.Message, "\n")
			return false, errors.New(message)
		}
		return false, err
	}
	ok, _ := result.(bool) // as it was compiled to be
	return ok, nil
}

// reading notes what an expression reads, and refuses what could take long.
type reading struct {
	paths   []string
	refused string
}

// Visit is called for each node of an expression, those within it first.
func (r *reading) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.ConstantNode,
		*ast.UnaryNode, *ast.ArrayNode, *ast.ConditionalNode, *ast.ChainNode:
	case *ast.BinaryNode:
		if n.Operator == ".." {
			r.refuse("a range")
		}
	case *ast.IdentifierNode:
		r.paths = append(r.paths, n.Value)
	case *ast.MemberNode:
		from := pathOf(n.Node)
		if name, ok := n.Property.(*ast.StringNode); ok && from != "" {
			if i := slices.Index(r.paths, from); i >= 0 {
				r.paths[i] += "." + name.Value
			}
		}
	case *ast.CallNode:
		r.refuse(fmt.Sprintf("the function %v", n.Callee))
	case *ast.BuiltinNode:
		if !slices.Contains(constraintFunctions, n.Name) {
			r.refuse("the function " + n.Name)
		}
	default:
		r.refuse("more than values, comparisons, arithmetic and functions")
	}
}

func (r *reading) refuse(what string) {
	if r.refused == "" {
		r.refused = what
	}
}

// pathOf is the dotted path that a node names, "" where it is something else.
func pathOf(node ast.Node) string {
	switch n := node.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		from := pathOf(n.Node)
		if name, ok := n.Property.(*ast.StringNode); ok && from != "" {
			return from + "." + name.Value
		}
	}
	return ""
}

// names are what constraints know: every setting of a trial that is a number, a text,
// a truth value or a list of these, and the parameters of the user's own words.
type names struct {
	types types.Map
	paths []string
}

func newNames(space Space) names {
	known, _ := typeOfSetting(reflect.TypeFor[Config]()).(types.Map)
	for _, p := range space {
		if p.bundle() {
			known[p.Path] = types.String
		}
	}
	n := names{types: known}
	n.list(known, "")
	slices.Sort(n.paths)
	return n
}

func (n *names) list(fields types.Map, prefix string) {
	for name, t := range fields {
		if inner, ok := t.(types.Map); ok {
			n.list(inner, join(prefix, name))
		} else {
			n.paths = append(n.paths, join(prefix, name))
		}
	}
}

// suggest names a setting that may have been meant.
func (n *names) suggest(path string) string {
	if near := nearest(path, n.paths); near != "" {
		return "did you mean " + near + "?"
	}
	for _, known := range n.paths {
		if strings.HasSuffix(known, "."+path) {
			return "did you mean " + known + "?"
		}
	}
	return "settings are written as in the file, as training.learning_rate"
}

// typeOfSetting is nil for what constraints cannot read.
func typeOfSetting(t reflect.Type) types.Type {
	switch t.Kind() {
	case reflect.String:
		return types.String
	case reflect.Bool:
		return types.Bool
	case reflect.Int, reflect.Int64:
		return types.Int
	case reflect.Float64:
		return types.Float64
	case reflect.Slice:
		if element := typeOfSetting(t.Elem()); element != nil && t.Elem().Kind() != reflect.Struct {
			return types.Array(element)
		}
	case reflect.Struct:
		fields := types.Map{}
		eachField(t, func(key string, f reflect.StructField) {
			if known := typeOfSetting(f.Type); known != nil {
				fields[key] = known
			}
		})
		if len(fields) > 0 {
			return fields
		}
	}
	return nil
}

// environment is what the settings are in constraints, by the names of names.
func (c Config) environment(space Space, values point) map[string]any {
	settings, _ := plainSetting(reflect.ValueOf(c)).(map[string]any)
	for k := range space {
		if p := &space[k]; p.bundle() {
			if name, ok := settings[p.Path].(string); !ok || name == "" {
				settings[p.Path] = values[k].name // empty where it does not exist
			}
		}
	}
	return settings
}

// plainSetting is a setting in the types that Expr computes with.
func plainSetting(v reflect.Value) any {
	switch v.Kind() {
	case reflect.String:
		return v.String()
	case reflect.Bool:
		return v.Bool()
	case reflect.Int, reflect.Int64:
		return int(v.Int())
	case reflect.Float64:
		return v.Float()
	case reflect.Slice:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plainSetting(v.Index(i))
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		eachField(v.Type(), func(key string, f reflect.StructField) { fields[key] = plainSetting(v.FieldByIndex(f.Index)) })
		return fields
	}
	return nil
}
