package analysis

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts/report/stats"
)

func TestReadAnswers(t *testing.T) {
	good := "file,label,predicted,probability:a,probability:b\nx.jpg,a,b,0.25,0.75\n"
	got, err := ReadAnswers(strings.NewReader(good), []string{"a", "b"}, 3)
	want := []stats.Answer{{File: "x.jpg", Label: 0, Predicted: 1, Probabilities: []float64{0.25, 0.75}, Fold: 3}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for _, bad := range []string{"a,b\n", strings.Replace(good, "0.25", "x", 1), strings.Replace(good, ",b,0", ",c,0", 1), strings.Replace(good, "0.75", "7", 1), `"`} {
		if _, err := ReadAnswers(strings.NewReader(bad), []string{"a", "b"}, 0); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// Whatever a file of answers holds, what is read of it is sound.
func FuzzReadAnswers(f *testing.F) {
	f.Add("file,label,predicted,probability:a,probability:b\nx.jpg,a,b,0.25,0.75\n")
	f.Add("file,label,predicted,p,q\n\"x,y\",b,b,1,0\nz,a,a,1e-3,NaN\n")
	f.Fuzz(func(t *testing.T, text string) {
		answers, err := ReadAnswers(strings.NewReader(text), []string{"a", "b"}, 1)
		if err != nil {
			return
		}
		e := Evaluate(answers, []string{"a", "b"})
		if len(answers) > 0 && e.PerClass[0].Support+e.PerClass[1].Support != len(answers) {
			t.Errorf("%d answers, evaluated as %+v", len(answers), e.PerClass)
		}
	})
}
