package plan

import (
	"encoding/json"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const reference = "../../docs/sweep-reference.md"

// The tables of the reference list every key that the code knows, no other, and
// each with the default that the code fills in.
func TestReferenceMatchesTheCode(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)` \\| ?(.*?) ?\\| .* \\|$").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = strings.Trim(row[2], "`")
	}
	for _, key := range leafKeys() {
		got, ok := documented[key]
		if want := defaultText(t, key); !ok || got != want {
			t.Errorf("%s: documented %v, with the default %q; the code has %q", key, ok, got, want)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("%s is documented, but the code does not know it", key)
	}
}

// leafKeys are the keys that are not only sections with keys below them.
func leafKeys() []string {
	return slices.DeleteFunc(slices.Clone(schema), func(key string) bool {
		return key != "model.surgery" && slices.ContainsFunc(schema, func(other string) bool { return strings.HasPrefix(other, key+".") })
	})
}

// defaultText is a key's default as the reference writes it: empty for a zero
// that the JSON of the settings leaves out.
func defaultText(t *testing.T, key string) string {
	ofStep := regexp.MustCompile(`^model\.surgery\[\]\.[a-z_]+\.(name|outputs|after|from|to|layers)$|insert_after\.kind$`)
	if slices.Contains(required, key) || ofStep.MatchString(key) {
		return "*required*"
	}
	// Zeros that mean something, although they are also what is not set.
	if slices.Contains([]string{"preprocessing.crop", "training.lr_policy.warm_up", "evaluation.batch_size", "run_cap", "checkpoints.save_trial_best"}, key) || strings.HasSuffix(key, "init.bias") {
		return "0"
	}
	value := reflect.ValueOf(defaults())
	for part := range strings.SplitSeq(key, ".") {
		if strings.HasSuffix(part, "[]") {
			return "" // an item of a list that is empty by default
		}
		found := false
		eachField(value.Type(), func(name string, f reflect.StructField) {
			if name == part && !found {
				value, found = value.FieldByIndex(f.Index), true
			}
		})
		if !found {
			t.Fatalf("no field for %s", key)
		}
	}
	if value.IsZero() && value.Kind() != reflect.Bool && !slices.Contains([]string{"training.weight_decay"}, key) {
		return ""
	}
	text, err := json.Marshal(value.Interface())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The sweep files shown in the reference are valid.
func TestReferenceExamplesParse(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("no example")
	}
	for _, block := range blocks {
		mustParse(t, block[1])
	}
}

// The rates documented as what step, multistep and poly have without them.
func TestDefaultsThatDependOnThePolicy(t *testing.T) {
	for text, want := range map[string]Policy{
		"{policy: step, every_epochs: 2}":             {Policy: "step", EveryEpochs: 2, Gamma: 0.1},
		"{policy: multistep, epochs: [5]}":            {Policy: "multistep", Epochs: []int{5}, Gamma: 0.1},
		"{policy: step, every_epochs: 2, gamma: 0.5}": {Policy: "step", EveryEpochs: 2, Gamma: 0.5},
		"{policy: exp, gamma: 0.9}":                   {Policy: "exp", Gamma: 0.9},
		"{policy: poly}":                              {Policy: "poly", Power: 1},
		"{policy: cosine}":                            {Policy: "cosine"},
		"{policy: inv, gamma: 0.1, power: 0.75}":      {Policy: "inv", Gamma: 0.1, Power: 0.75},
		"{policy: sigmoid, gamma: -2, midpoint: 3.5}": {Policy: "sigmoid", Gamma: -2, Midpoint: 3.5},
		"{policy: plateau}":                           {Policy: "plateau", Gamma: 0.1, Patience: 10, Threshold: 1e-4},
		"{policy: plateau, patience: 0}":              {Policy: "plateau", Gamma: 0.1, Threshold: 1e-4},
	} {
		got := mustParse(t, minimal, "training.lr_policy="+text).Trials[0].Config.Training.Policy
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
	for metric, want := range map[string]string{"accuracy": "maximize", "loss": "minimize"} {
		if got := mustParse(t, minimal, "metric.name="+metric).Metric.Goal; got != want {
			t.Errorf("goal of %s is %s", metric, got)
		}
	}
}

// The numbers documented as what an optimizer or a loss has without them.
func TestDefaultsThatDependOnTheOptimizerAndTheLoss(t *testing.T) {
	for text, change := range map[string]func(*Training){
		"{}":                                       func(w *Training) { w.Momentum = 0.9 },
		"{optimizer: sgd_pytorch}":                 func(w *Training) { w.Momentum = 0.9 },
		"{optimizer: nesterov}":                    func(w *Training) { w.Momentum = 0.9 },
		"{optimizer: adam}":                        func(w *Training) { w.Betas, w.Epsilon = []float64{0.9, 0.999}, 1e-8 },
		"{optimizer: adamw, betas: [0.8, 0.9]}":    func(w *Training) { w.Betas, w.Epsilon = []float64{0.8, 0.9}, 1e-8 },
		"{optimizer: rmsprop}":                     func(w *Training) { w.RMSDecay, w.Epsilon = 0.99, 1e-8 },
		"{optimizer: rmsprop, momentum: 0.5}":      func(w *Training) { w.RMSDecay, w.Epsilon, w.Momentum = 0.99, 1e-8, 0.5 },
		"{optimizer: lars}":                        func(w *Training) { w.Trust, w.Momentum = 0.001, 0.9 },
		"{loss: focal}":                            func(w *Training) { w.FocalGamma, w.Momentum = 2, 0.9 },
		"{loss: focal, focal_gamma: 0}":            func(w *Training) { w.Momentum = 0.9 },
		"{class_weights: balanced}":                func(w *Training) { w.ClassWeights.Balanced, w.Momentum = true, 0.9 },
		"{loss: mean_squared_error, ema_decay: 0}": func(w *Training) { w.Momentum = 0.9 },
	} {
		var set struct{ Training map[string]any }
		if err := yaml.Unmarshal([]byte("training: "+text), &set); err != nil {
			t.Fatal(err)
		}
		want := defaults().Training
		want.LearningRate, want.Epochs, want.Momentum = 0.1, 2, 0
		if loss, ok := set.Training["loss"].(string); ok {
			want.Loss = loss
		}
		if optimizer, ok := set.Training["optimizer"].(string); ok {
			want.Optimizer = optimizer
		}
		change(&want)
		var overrides []string
		for key := range set.Training {
			value, err := json.Marshal(set.Training[key])
			if err != nil {
				t.Fatal(err)
			}
			overrides = append(overrides, "training."+key+"="+string(value))
		}
		if got := mustParse(t, minimal, overrides...).Trials[0].Config.Training; !reflect.DeepEqual(got, want) {
			t.Errorf("%s is %+v, want %+v", text, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"momentum", "epochs", "seed", "lr_mult"}
	for word, want := range map[string]string{
		"momentun": "momentum", "Momentum": "momentum", "epoch": "epochs", "sede": "seed", "lrmult": "lr_mult",
		"x": "", "zebra": "", "": "", strings.Repeat("m", 1000): "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%.20q) = %q, want %q", word, got, want)
		}
	}
}

// Numbers that the search draws are written so that YAML reads back the same.
func TestDrawnNumbersSurviveYAML(t *testing.T) {
	p := Parameter{}
	for _, x := range []float64{0, 1, -3, 0.1, 1e-7, 12345678, 1e20, 1e-300, 0.30000000000000004} {
		text := p.number(x).Value
		var n yaml.Node
		if err := yaml.Unmarshal([]byte(text), &n); err != nil {
			t.Fatal(err)
		}
		if got, err := float(n.Content[0]); err != nil || got != x {
			t.Errorf("%v is written as %s, read as %v (%v)", x, text, got, err)
		}
	}
}
