package plan

import (
	"errors"
	"strings"
	"testing"
)

// A rung before the end of one trial is enough.
func TestRungsThatSomeTrialsHave(t *testing.T) {
	mustParse(t, minimal+"early_terminate: {type: asha, min_iter: 4}\nparameters: {training.epochs: {values: [2, 8]}}\n")
	mustParse(t, minimal+"early_terminate: {type: asha, min_iter: 4}\nmethod: tpe\nrun_cap: 20\nparameters: {training.epochs: {min: 1, max: 30}}\n")
}

func TestRuleAcrossFoldsThatNoTrialComesTo(t *testing.T) {
	labels, classes := []int{0, 0, 0, 1, 1, 1}, []string{"a", "b"}
	for least, refused := range map[string]bool{"2": false, "3": true, "4": true} {
		s := mustParse(t, minimal+"cross_validation: {folds: 3}\nearly_terminate: {folds: {min: "+least+"}}\n")
		folds, err := s.Folds(labels, classes, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Expand(s, Data{Classes: classes, Labels: labels}, folds, map[string]Ref{"m.onnx": {Name: "m.onnx", Digest: "d"}})
		var e *Error
		if is := errors.As(err, &e) && e.Field == "early_terminate.folds.min"; is != refused {
			t.Errorf("min %s of 3 folds: %v", least, err)
		}
	}
}

// What an earlier version accepted is read as that version read it.
func TestStoredSweepsAreHeldAgainstNoNewRules(t *testing.T) {
	const text = minimal + "early_terminate: {type: asha, min_iter: 8}\ncross_validation: {seed: 032}\n"
	if _, err := parse(t, text); err == nil {
		t.Fatal("Parse accepts it")
	}
	s, err := ParseStored("sweep.yaml", []byte(text))
	if err != nil || s.CrossValidation.Seed != 26 {
		t.Errorf("seed %d, %v", s.CrossValidation.Seed, err)
	}
}

func TestNormalisationForPicturesFromZeroToOneIsWarnedOf(t *testing.T) {
	for preprocessing, field := range map[string]string{
		"mean: [0.485, 0.456, 0.406]":                       "mean",
		"std: [0.229, 0.224, 0.225], mean: [124, 116, 104]": "std",
		"scale: 255": "scale",
		"mean: [124, 116, 104], std: [58, 57, 57]":             "",
		"mean: [0, 0, 0], std: [255, 255, 255]":                "",
		"mean: [128, 128, 128], scale: 0.0078125":              "",
		"channels: grey, mean: [33], scale: 1, resize: [8, 8]": "",
	} {
		s := mustParse(t, minimal+"preprocessing: {"+preprocessing+"}\n")
		if field == "" && len(s.Warnings) > 0 || field != "" && (len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], "preprocessing."+field+": ")) {
			t.Errorf("%s: %q", preprocessing, s.Warnings)
		}
	}
}
