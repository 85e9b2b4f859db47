package plan

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"orchestrator/scheduler/prune"
)

const schemaFile = "../../docs/sweep.schema.json"

type object = map[string]any

// words are the settings that are one of a few.
var words = map[string][]string{
	"method": methods, "metric.name": metrics, "metric.goal": goals, "dataset.on_bad": onBad, "preprocessing.channels": channels,
	"training.loss": losses, "training.optimizer": optimizers, "training.lr_policy.policy": policies, "training.cache_features": cacheFeatures, "training.precision": precisions,
	"evaluation.metrics[]": metrics, "resources.device": devices, "early_terminate.type": pruneTypes(),
	"model.surgery[].append.kind": layerKinds, "model.surgery[].insert_after.kind": {"relu", "dropout"},
	"probe.classifiers[]": probeClassifiers, "probe.selection": probeSelections,
}

func pruneTypes() []string {
	var all []string
	for _, t := range prune.Types() {
		all = append(all, string(t))
	}
	return all
}

// bound is a range of numbers; with above or below the end itself is outside.
type bound struct {
	least, most  float64
	above, below bool
	with         []string // settings without which the number would be refused anyway
}

// ranges are those of the numbers; TestRangesOfTheSchema holds them to Parse.
var ranges = map[string]bound{
	"dataset.class_level":    {least: 0, most: 10},
	"cross_validation.folds": {least: 2, most: 1000}, "cross_validation.repeats": {least: 1, most: 100},
	"run_cap": {least: 1, most: maxRunCap}, "max_concurrent_trials": {least: 1, most: maxRunCap},
	"early_terminate.min_iter":    {least: 1, most: 99_999, with: []string{"early_terminate.type=asha", "training.epochs=100000"}},
	"early_terminate.eta":         {least: 2, most: 16, with: []string{"early_terminate.type=asha"}},
	"early_terminate.brackets":    {least: 1, most: 8, with: []string{"early_terminate.type=hyperband"}},
	"early_terminate.folds.min":   {least: 1, most: 1000},
	"early_terminate.folds.alpha": {least: 0, most: 1, above: true, below: true, with: []string{"early_terminate.folds.min=2"}},
	"resources.priority":          {least: 1, most: 99}, "resources.max_restarts": {least: 0, most: 100},
	"checkpoints.every_epochs":        {least: 0, most: 100_000},
	"preprocessing.crop":              {least: 0, most: 4096, with: []string{"preprocessing.resize=4096"}},
	"training.label_smoothing":        {least: 0, most: 1, below: true},
	"training.focal_gamma":            {least: 0, most: 20, with: []string{"training.loss=focal"}},
	"training.learning_rate":          {least: 0, most: 100, above: true},
	"training.momentum":               {least: 0, most: 1, below: true},
	"training.betas[]":                {least: 0, most: 1, below: true},
	"training.rms_decay":              {least: 0, most: 1, below: true, with: []string{"training.optimizer=rmsprop"}},
	"training.epsilon":                {least: 0, most: 1, above: true, with: []string{"training.optimizer=adam"}},
	"training.trust_coefficient":      {least: 0, most: 1, above: true, with: []string{"training.optimizer=lars"}},
	"training.weight_decay":           {least: 0, most: 1},
	"training.clip_norm":              {least: 0, most: 1e6, above: true},
	"training.clip_value":             {least: 0, most: 1e6, above: true},
	"training.ema_decay":              {least: 0, most: 1, below: true},
	"training.epochs":                 {least: 1, most: 100_000},
	"training.batch_size":             {least: 1, most: 65_536},
	"training.threads":                {least: 1, most: 256},
	"training.lr_policy.every_epochs": {least: 1, most: 100_000, with: []string{"training.lr_policy.policy=step"}},
	"training.lr_policy.gamma":        {least: -100, most: 100, with: []string{"training.lr_policy={policy: sigmoid, midpoint: 1}"}},
	"training.lr_policy.power":        {least: 0, most: 100, above: true, with: []string{"training.lr_policy.policy=poly"}},
	"training.lr_policy.midpoint":     {least: 0, most: 100_000, with: []string{"training.lr_policy={policy: sigmoid, gamma: 1}"}},
	"training.lr_policy.patience":     {least: 0, most: 100_000, with: []string{"training.lr_policy.policy=plateau"}},
	"training.lr_policy.threshold":    {least: 0, most: 1, below: true, with: []string{"training.lr_policy.policy=plateau"}},
	"evaluation.batch_size":           {least: 1, most: 65_536},
	"probe.inner_folds":               {least: 2, most: 1000, with: []string{"probe.layers=[a]", "training={seed: 1}"}},
}

// generator makes the JSON Schema of sweep files from the types that they are read
// into, and the reference.
type generator struct {
	t        *testing.T
	meanings map[string]string
}

var referenceRow = regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\| ?(.*?) ?\\| (.*) \\|$")

func newGenerator(t *testing.T) *generator {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	g := &generator{t, map[string]string{}}
	for _, row := range referenceRow.FindAllStringSubmatch(string(text), -1) {
		g.meanings[row[1]] = row[3]
	}
	return g
}

func (g *generator) schema() object {
	root := g.of(reflect.TypeFor[document](), "")
	for key, value := range (object{
		"$schema":          "https://json-schema.org/draft/2020-12/schema",
		"title":            "A sweep of orchestrator",
		"description":      "What to train, on what, how to split the data, and what to search. docs/sweep-reference.md explains every key.",
		"required":         []string{"name", "dataset"},
		"$defs":            g.definitions(),
		"if":               object{"required": []string{"method"}, "properties": object{"method": object{"enum": slices.DeleteFunc(slices.Clone(methods), func(m string) bool { return m == "grid" })}}},
		"then":             object{"required": []string{"run_cap", "parameters"}},
		"dependentSchemas": object{"cross_validation": object{"properties": object{"dataset": object{"properties": object{"folds": false}}}}},
	}) {
		root[key] = value
	}
	return root
}

// of is the schema of a setting.
func (g *generator) of(t reflect.Type, path string) object {
	s := g.shape(t, path)
	if meaning := g.meanings[path]; meaning != "" {
		s["description"] = meaning
		if text := defaultText(g.t, path); text != "" && text[0] != '*' {
			s["default"] = json.RawMessage(text)
		}
	}
	if path == "run_cap" || path == "evaluation.batch_size" {
		delete(s, "default") // which stands for a missing key, and may not be written
	}
	if known := words[path]; known != nil {
		s["enum"] = known
	}
	if b, ok := ranges[path]; ok {
		s[map[bool]string{false: "minimum", true: "exclusiveMinimum"}[b.above]] = b.least
		s[map[bool]string{false: "maximum", true: "exclusiveMaximum"}[b.below]] = b.most
	}
	return s
}

func (g *generator) shape(t reflect.Type, path string) object {
	number := object{"type": "number", "minimum": 0}
	integer := object{"type": "integer", "minimum": 1}
	switch t {
	case reflect.TypeFor[Space]():
		return object{"$ref": "#/$defs/parameters"}
	case reflect.TypeFor[Size]():
		return object{"anyOf": []object{integer, {"type": "array", "items": integer, "minItems": 1, "maxItems": 2}}}
	case reflect.TypeFor[Factors]():
		both := object{"type": "object", "properties": object{"weight": number, "bias": number}, "additionalProperties": false}
		return object{"type": "object", "additionalProperties": object{"anyOf": []object{number, both}}}
	case reflect.TypeFor[ClassWeights]():
		return object{"anyOf": []object{{"const": "balanced"}, {"type": "object", "additionalProperties": number, "minProperties": 1}}}
	case reflect.TypeFor[MicroBatch]():
		return object{"anyOf": []object{{"const": "auto"}, integer}}
	case reflect.TypeFor[Bytes]():
		return object{"type": "string", "pattern": bytesPattern.String()}
	case reflect.TypeFor[Seconds]():
		return object{"type": "string", "pattern": secondsPattern.String(), "minLength": 2}
	case reflect.TypeFor[Step]():
		s := g.structure(t, path)
		s["minProperties"], s["maxProperties"] = 1, 1
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return g.shape(t.Elem(), path)
	case reflect.Struct:
		return g.structure(t, path)
	case reflect.Slice:
		s := object{"type": "array", "items": g.of(t.Elem(), path+"[]")}
		if words[path+"[]"] != nil || path == "probe.layers" {
			s["minItems"], s["uniqueItems"] = 1, true
		}
		return s
	case reflect.String:
		if path == "constraints[]" {
			return object{"type": "string", "minLength": 1, "maxLength": maxExpression}
		}
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Float64:
		return object{"type": "number"}
	}
	g.t.Fatalf("%s: no schema for the type %v", path, t)
	return nil
}

func (g *generator) structure(t reflect.Type, path string) object {
	properties := object{}
	var needed []string
	eachField(t, func(key string, f reflect.StructField) {
		child := join(path, key)
		properties[key] = g.of(f.Type, child)
		if strings.HasPrefix(child, "model.surgery") && defaultText(g.t, child) == "*required*" {
			needed = append(needed, key)
		}
	})
	s := object{"type": "object", "properties": properties, "additionalProperties": false}
	if needed != nil && !strings.HasSuffix(path, ".append") { // whose kinds need different things
		s["required"] = needed
	}
	return s
}

// definitions are the parameters: a parameter is what has one of its keys, all else
// nests.
func (g *generator) definitions() object {
	plain := object{"type": []string{"string", "number", "boolean", "array", "object"}}
	number := object{"type": "number"}
	properties := object{
		"distribution":  object{"enum": distributions},
		"values":        object{"anyOf": []object{{"type": "array", "items": plain, "minItems": 1, "uniqueItems": true}, {"type": "object", "additionalProperties": plain, "minProperties": 1}}, "description": "what is tried: a list, or values by name"},
		"probabilities": object{"type": "array", "items": object{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "description": "of the values, with the sum 1"},
		"value":         plain,
		"q":             object{"type": "number", "exclusiveMinimum": 0, "description": "the values are multiples of it"},
		"sigma":         object{"type": "number", "exclusiveMinimum": 0},
		"a":             object{"type": "number", "exclusiveMinimum": 0, "maximum": maxShape},
		"b":             object{"type": "number", "exclusiveMinimum": 0, "maximum": maxShape},
		"when": object{"type": "object", "minProperties": 1, "description": "the parameter exists where other parameters have one of these values",
			"additionalProperties": object{"anyOf": []object{{"type": []string{"string", "number", "boolean", "object"}}, {"type": "array", "items": plain, "minItems": 1}}}},
	}
	var telling, rules []object
	for _, key := range childKeys(reflect.TypeFor[definition]()) {
		if properties[key] == nil {
			properties[key] = number
		}
		if len(key) > 1 {
			telling = append(telling, object{"required": []string{key}})
		}
	}
	for _, name := range distributions {
		f := families[name]
		then := object{}
		for _, key := range childKeys(reflect.TypeFor[definition]()) {
			if key != "distribution" && key != "when" && !slices.Contains(f.needs, key) && !slices.Contains(f.may, key) {
				then[key] = false
			}
		}
		rule := object{"properties": then}
		if f.needs != nil {
			rule["required"] = f.needs
		}
		rules = append(rules, object{"if": object{"required": []string{"distribution"}, "properties": object{"distribution": object{"const": name}}}, "then": rule})
	}
	saysWhat := []object{{"required": []string{"distribution"}}, {"required": []string{"values"}}, {"required": []string{"value"}}, {"required": []string{"min", "max"}}}
	// Below the sections of a trial, a path; else a word of the user's own, whose choices
	// set several.
	below := "^(" + strings.Join(sections, "|") + `)(\..*)?$`
	own := object{"$ref": "#/$defs/parameter", "required": []string{"values"}, "properties": object{"values": object{"type": "object", "additionalProperties": object{
		"type": "object", "properties": object{nestedKey: object{"$ref": "#/$defs/parameters"}}}}}}
	return object{
		"parameters": object{"type": "object", "patternProperties": object{below: object{"$ref": "#/$defs/entry"}}, "additionalProperties": own,
			"propertyNames": object{"anyOf": []object{{"pattern": below}, {"pattern": `^[^.]+$`}}}, "description": g.meanings["parameters"]},
		"entry": object{"type": "object", "if": object{"anyOf": telling}, "then": object{"$ref": "#/$defs/parameter"},
			"else": object{"additionalProperties": object{"$ref": "#/$defs/entry"}, "minProperties": 1}},
		"parameter": object{"type": "object", "properties": properties, "additionalProperties": false, "anyOf": saysWhat, "allOf": rules},
	}
}

// The schema in docs is what the code and the reference say.
func TestSchemaMatchesTheCode(t *testing.T) {
	want, err := json.MarshalIndent(newGenerator(t).schema(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/sweep.schema.json is out of date: go test ./scheduler/plan -run TestSchemaMatchesTheCode -update (-want +got):\n%s", diff)
	}
}

// compiled is the schema in docs, ready to validate.
func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("sweep.schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("sweep.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate holds a sweep file against the schema as an editor does.
func validate(schema *jsonschema.Schema, text string) error {
	var tree any
	if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
		return err
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// Every sweep file of the repository that Parse accepts is valid.
func TestSchemaAcceptsTheExamples(t *testing.T) {
	schema := compiled(t)
	files, err := filepath.Glob("../../examples/*/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"minimal": minimal, "conditional": conditional, "nested": nestedChoices, "random": fmt.Sprintf(randomSweep, 3)}
	for _, file := range append(append(files, more...), "testdata/first.yaml", "testdata/full.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(data)
	}
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		texts[fmt.Sprintf("%s, example %d", reference, i+1)] = block[1]
	}
	if len(texts) < 20 {
		t.Errorf("only %d sweep files", len(texts))
	}
	for name, text := range texts {
		mustParse(t, text)
		if err := validate(schema, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Of the mistakes in testdata/bad.txtar the schema finds those of words, types,
// numbers and keys; testdata/schema-cannot-tell.txt lists those that it cannot.
func TestSchemaRefusesMistakes(t *testing.T) {
	schema := compiled(t)
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		t.Fatal(err)
	}
	overridden := map[string]bool{}
	for _, f := range archive.Files {
		if name, ok := strings.CutSuffix(f.Name, ".set"); ok {
			overridden[name] = true
		}
	}
	var accepted strings.Builder
	refused, all := 0, 0
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".set") || strings.HasSuffix(f.Name, ".error") || overridden[f.Name] {
			continue
		}
		all++
		if validate(schema, string(f.Data)) == nil {
			accepted.WriteString(f.Name + "\n")
		} else {
			refused++
		}
	}
	t.Logf("the schema refuses %d of %d mistakes", refused, all)
	const file = "testdata/schema-cannot-tell.txt"
	if *update {
		if err := os.WriteFile(file, []byte(accepted.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), accepted.String()); diff != "" {
		t.Errorf("mistakes that the schema accepts (-want +got):\n%s", diff)
	}
}

// The ranges of the schema are those of Parse: the ends are accepted as they say, and
// what is just outside is refused.
func TestRangesOfTheSchema(t *testing.T) {
	for path, b := range ranges {
		if strings.HasSuffix(path, "[]") {
			continue
		}
		step := 1.0
		if b.above || b.below || defaultKind(path) == reflect.Float64 {
			step = 1e-3
		}
		for _, c := range []struct {
			x  float64
			ok bool
		}{{b.least - step, false}, {b.least, !b.above}, {b.least + step, true}, {b.most - step, true}, {b.most, !b.below}, {b.most + step, false}} {
			text := minimal
			if strings.HasPrefix(path, "probe") {
				text = strings.Replace(minimal, "training: {learning_rate: 0.1, epochs: 2}\n", "", 1)
			}
			_, err := parse(t, text, append(slices.Clone(b.with), fmt.Sprintf("%s=%v", path, json.Number(fmt.Sprint(c.x))))...)
			if refused := err != nil && strings.Contains(err.Error(), " "+path+":"); refused == c.ok {
				t.Errorf("%s of %v: %v", path, c.x, err)
			}
		}
	}
}

// defaultKind is the kind of a setting.
func defaultKind(path string) reflect.Kind {
	t := reflect.TypeFor[document]()
	for part := range strings.SplitSeq(path, ".") {
		var next reflect.Type
		eachField(t, func(key string, f reflect.StructField) {
			if key == part && next == nil {
				next = f.Type
			}
		})
		t = next
	}
	return t.Kind()
}
