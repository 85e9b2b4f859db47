package plan

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the expectations in testdata")

// minimal is the shortest valid sweep.
const minimal = `name: s
dataset: {path: data}
model: {base: m.onnx}
training: {learning_rate: 0.1, epochs: 2}
`

func mustParse(t testing.TB, text string, set ...string) *Sweep {
	t.Helper()
	s, err := parse(t, text, set...)
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return s
}

func parse(t testing.TB, text string, set ...string) (*Sweep, error) {
	t.Helper()
	var overrides []Override
	for _, s := range set {
		o, err := ParseOverride(s)
		if err != nil {
			t.Fatal(err)
		}
		overrides = append(overrides, o)
	}
	return Parse("sweep.yaml", []byte(text), overrides...)
}

// report is an error as the command line prints it.
func report(err error) string {
	text := err.Error() + "\n"
	var hint interface{ Hint() string }
	if errors.As(err, &hint) && hint.Hint() != "" {
		text += "Try: " + hint.Hint() + "\n"
	}
	return text
}

// Every mistake in testdata/bad.txtar is refused, with exactly the message there.
func TestBadSweeps(t *testing.T) {
	const file = "testdata/bad.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for _, f := range archive.Files {
		parts[f.Name] = string(f.Data)
	}
	rewritten := &txtar.Archive{Comment: archive.Comment}
	for _, f := range archive.Files {
		if strings.HasSuffix(f.Name, ".set") || strings.HasSuffix(f.Name, ".error") {
			continue
		}
		rewritten.Files = append(rewritten.Files, f)
		set := parts[f.Name+".set"]
		if set != "" {
			rewritten.Files = append(rewritten.Files, txtar.File{Name: f.Name + ".set", Data: []byte(set)})
		}
		t.Run(f.Name, func(t *testing.T) {
			_, err := parse(t, string(f.Data), strings.FieldsFunc(set, func(r rune) bool { return r == '\n' })...)
			if err == nil {
				t.Fatal("Parse accepts it")
			}
			got := report(err)
			rewritten.Files = append(rewritten.Files, txtar.File{Name: f.Name + ".error", Data: []byte(got)})
			if diff := cmp.Diff(parts[f.Name+".error"], got); diff != "" && !*update {
				t.Errorf("message (-want +got):\n%s", diff)
			}
			checkErrors(t, err)
		})
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(rewritten), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// checkErrors holds an error of Parse against what callers rely on.
func checkErrors(t *testing.T, err error) {
	t.Helper()
	var code interface{ ExitCode() int }
	if !errors.As(err, &code) || code.ExitCode() != 2 {
		t.Errorf("%v: exit code is not 2", err)
	}
	var one *Error
	if !errors.As(err, &one) {
		t.Errorf("%T holds no *Error", err)
	}
	var many Errors
	if errors.As(err, &many) && len(many) < 2 {
		t.Errorf("%d problems are reported as several", len(many))
	}
}

func TestMinimalSweepHasTheDefaults(t *testing.T) {
	s := mustParse(t, minimal)
	want := defaults()
	want.Sweep.Name, want.Dataset.Path, want.Metric.Goal = "s", "data", "maximize"
	want.Model.Base = "m.onnx"
	want.Training.LearningRate, want.Training.Epochs = 0.1, 2
	if len(s.Trials) != 1 || len(s.Trials[0].Parameters) != 0 {
		t.Fatalf("trials: %+v", s.Trials)
	}
	if diff := cmp.Diff(want.Config, s.Trials[0].Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	got := *s
	got.Seed, got.File, got.Source, got.Trials, got.positions = 0, "", "", nil, nil
	if diff := cmp.Diff(want.Sweep, got, cmp.AllowUnexported(Sweep{})); diff != "" {
		t.Errorf("sweep (-want +got):\n%s", diff)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	data, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := mustParse(t, string(data))
	want := Config{
		Model: Model{Base: "caffenet.onnx", Surgery: []Step{
			{CutAfter: "fc7"},
			{Append: &NewLayer{Name: "fc8", Outputs: 2, Init: Init{Gaussian: 0.01, Bias: 0.5}}},
			{Replace: &Layer{Name: "conv1", Outputs: 96, Init: Init{MSRA: true}}},
			{Replace: &Layer{Name: "conv2", Outputs: 256, Init: Init{Xavier: true}}},
			{Replace: &Layer{Name: "conv3", Outputs: 384, Init: Init{Constant: ptr(0.1)}}},
			{Append: &NewLayer{Name: "conv6", Kind: "conv", Outputs: 64, Kernel: 3, Stride: 2, Pad: 1, Groups: 2, Init: Init{Uniform: []float64{-0.1, 0.1}}}},
			{Append: &NewLayer{Name: "drop9", Kind: "dropout", Ratio: 0.5}},
			{InsertAfter: &Insertion{After: "conv1", Name: "relu9", Kind: "relu"}},
			{InsertProbe: &ProbeLayer{After: "pool5", Name: "probe", Outputs: 2, Init: Init{Constant: ptr(0)}}},
			{Rename: &Rename{From: "fc8", To: "head"}},
			{Reinit: &Reinit{Layers: "fc*", Init: Init{Bilinear: true}}},
			{ToFullyConvolutional: true},
			{Freeze: "conv[12]"},
		}, Output: "prob", ExtraOutputs: true},
		Preprocessing: Preprocessing{
			Resize: Size{256, 320}, Crop: 227, CenterCrop: true, Mirror: true, Channels: "bgr",
			Mean: []float64{104, 117, 123}, Std: []float64{1, 2, 3}, Scale: 0.5,
		},
		Training: Training{
			Loss: "softmax", LabelSmoothing: 0.1, ClassWeights: ClassWeights{Classes: []ClassWeight{{"ants", 0.5}, {"bees", 2}}},
			Optimizer: "nesterov", LearningRate: 0.001, Momentum: 0.8, WeightDecay: 0.0005, DecoupledDecay: true, ClipNorm: 5, EMADecay: 0.99,
			Policy:    Policy{Policy: "multistep", Epochs: []int{5, 7}, Gamma: 0.5, WarmUp: 1},
			LRMult:    Factors{{"z*", 10, 10}, {"a*", 0, 0}, {"fc8", 10, 20}},
			DecayMult: Factors{{"*bias", 1, 0}},
			Epochs:    65, BatchSize: 256, MicroBatchSize: 32, CacheFeatures: "off", Precision: "bfloat16", Seed: 7, Deterministic: false, Threads: 4,
		},
		Evaluation: Evaluation{Metrics: []string{"accuracy", "loss", "f1", "auc"}, BatchSize: 64, Oversample: 10},
	}
	if diff := cmp.Diff(want, s.Trials[0].Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Dataset{Path: "data", Root: "pictures", ClassLevel: 2, Include: []string{"*.jpg"}, Exclude: []string{"bad*"}, OnBad: "skip"}, s.Dataset); diff != "" {
		t.Errorf("dataset (-want +got):\n%s", diff)
	}
	if s.CrossValidation != (CrossValidation{Folds: 10, Stratified: false, Repeats: 2, Seed: 3}) ||
		s.Metric != (Metric{"auc", "maximize"}) || s.RunCap != 24 || s.MaxConcurrent != 6 ||
		s.EarlyTerminate != (EarlyTerminate{"hyperband", 2, 4, 2, FoldStop{2, 0.1}}) ||
		s.Resources != (Resources{"cuda", 2, 7, 0, "a100", 3 << 30 / 2}) || s.Checkpoints != (Checkpoints{0, 0, 3}) ||
		s.Budget != (Budget{2 * 86400, 100*3600 + 30*60}) {
		t.Errorf("sweep: %+v", s)
	}
	// The file uses every key but those that exclude others.
	left := map[string]bool{
		"dataset.folds": true, "training.lr_policy.every_epochs": true, "training.lr_policy.power": true, "parameters": true,
		"training.lr_policy.midpoint": true, "training.lr_policy.patience": true, "training.lr_policy.threshold": true,
		"training.focal_gamma": true, "training.betas": true, "training.rms_decay": true, "training.epsilon": true,
		"training.trust_coefficient": true, "training.clip_value": true,
	}
	for _, path := range schema {
		pattern := strings.ReplaceAll(path, "[]", ".0")
		if !left[path] && !strings.HasPrefix(path, "probe") && !strings.HasPrefix(path, "model.surgery[]") && !anySet(s, pattern) {
			t.Errorf("testdata/full.yaml does not set %s", path)
		}
	}
}

func anySet(s *Sweep, path string) bool {
	_, ok := s.positions[path]
	return ok
}

func TestAliasesAndMergeKeysAreWrittenOut(t *testing.T) {
	s := mustParse(t, `name: s
dataset: {path: data}
model: {base: m.onnx, surgery: [{append: {<<: &fc {name: a, outputs: 4, init: &i {gaussian: 0.01}}}}, {append: {<<: *fc, name: b, init: *i}}]}
training: {learning_rate: 0.1, epochs: 2}
`)
	want := []Step{
		{Append: &NewLayer{Name: "a", Outputs: 4, Init: Init{Gaussian: 0.01}}},
		{Append: &NewLayer{Name: "b", Outputs: 4, Init: Init{Gaussian: 0.01}}},
	}
	if diff := cmp.Diff(want, s.Trials[0].Config.Model.Surgery); diff != "" {
		t.Errorf("surgery (-want +got):\n%s", diff)
	}
}

func TestOverrides(t *testing.T) {
	s := mustParse(t, minimal, "training.epochs=7", "preprocessing.resize=[64, 48]", "dataset.path=/elsewhere", "name=a=b", "parameters.training.momentum={values: [0.1, 0.2]}")
	c := s.Trials[1].Config
	if c.Training.Epochs != 7 || !reflect.DeepEqual(c.Preprocessing.Resize, Size{64, 48}) || s.Dataset.Path != "/elsewhere" || s.Name != "a=b" || c.Training.Momentum != 0.2 {
		t.Errorf("sweep %+v, config %+v", s, c)
	}
	if s.Source != minimal {
		t.Errorf("Source is not what the user wrote: %q", s.Source)
	}
	for field, want := range map[string]bool{"dataset.path": true, "model.base": false, "preprocessing.resize": true} {
		if got := s.Overridden(field); got != want {
			t.Errorf("Overridden(%q) = %v", field, got)
		}
	}
	const searched = minimal + "parameters: {training.learning_rate: {values: [0.1, 0.2]}}\n"
	if s := mustParse(t, searched, "parameters.training.learning_rate.values=[0.3, 0.4, 0.5]"); len(s.Trials) != 3 || s.Trials[2].Config.Training.LearningRate != 0.5 {
		t.Errorf("the values of a parameter: %d trials", len(s.Trials))
	}
	if s := mustParse(t, minimal, "dataset={path: x}"); !s.Overridden("dataset.path") || s.Dataset.Path != "x" {
		t.Errorf("a whole section: %+v", s.Dataset)
	}
}

func TestParseOverrideRefusesWhatIsNoAssignment(t *testing.T) {
	for _, text := range []string{"", "training.epochs", "=3", " =3"} {
		if o, err := ParseOverride(text); err == nil {
			t.Errorf("ParseOverride(%q) = %v", text, o)
		} else {
			checkErrors(t, err)
		}
	}
}

func TestProblemPointsIntoTheFile(t *testing.T) {
	s := mustParse(t, minimal, "training.epochs=7")
	for field, want := range map[string]string{
		"dataset.path":           "sweep.yaml:2:11: dataset.path: gone",
		"dataset.folds":          "sweep.yaml:2:1: dataset.folds: gone",
		"cross_validation.folds": "sweep.yaml: cross_validation.folds: gone",
		"training.epochs":        "--set training.epochs=7: training.epochs: gone",
	} {
		if got := s.Problem(field, "gone", "look").Error(); got != want {
			t.Errorf("Problem(%q) = %q, want %q", field, got, want)
		}
	}
}

func TestExamplesParse(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	nested, bad := filepath.Glob("../../examples/*/*.yaml")
	files, err = append(files, nested...), errors.Join(err, bad)
	if err != nil || len(files) < 2 {
		t.Fatalf("examples: %v, %v", files, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(file, data); err != nil {
			t.Error(err)
		}
	}
}

// FuzzParse: whatever the file holds, Parse returns a sweep with trials or an
// error that callers can rely on, and the same one each time.
func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/bad.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		if !strings.HasSuffix(file.Name, ".error") {
			f.Add(string(file.Data), "training.epochs=3")
		}
	}
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(full), "parameters={training.momentum: {min: 0.1, max: 0.5}}")
	f.Add(conditional, "method=grid")
	f.Add(nestedChoices, "run_cap=5")
	f.Fuzz(func(t *testing.T, text, set string) {
		var overrides []Override
		if o, err := ParseOverride(set); err == nil {
			overrides = append(overrides, o)
		}
		s, err := Parse("sweep.yaml", []byte(text), overrides...)
		if err != nil {
			checkErrors(t, err)
			_, again := Parse("sweep.yaml", []byte(text), overrides...)
			if again == nil || again.Error() != err.Error() {
				t.Fatalf("first %v, then %v", err, again)
			}
			return
		}
		if len(s.Trials) == 0 {
			t.Fatal("a valid sweep without trials")
		}
		seen := map[string]bool{}
		for _, a := range s.Trials {
			key := ParametersKey(a.Parameters)
			if seen[key] {
				t.Errorf("two trials with %s", key)
			}
			seen[key] = true
		}
	})
}

func ptr(x float64) *float64 { return &x }
