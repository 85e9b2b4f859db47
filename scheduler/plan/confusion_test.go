package plan

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestConfusionIsWrittenByTheNumberOfClasses(t *testing.T) {
	few := Outcome{Classes: []string{"a", "b"}}
	few.SetConfusion([][3]int{{0, 0, 3}, {1, 0, 2}})
	if diff := cmp.Diff([][]int{{3, 0}, {2, 0}}, few.Confusion); diff != "" || few.ConfusionCells != nil {
		t.Errorf("of two classes (-want +got):\n%s", diff)
	}
	many := Outcome{Classes: make([]string, MostDense+1)}
	many.SetConfusion([][3]int{{0, MostDense, 1}})
	if diff := cmp.Diff([][3]int{{0, MostDense, 1}}, many.ConfusionCells); diff != "" || many.Confusion != nil {
		t.Errorf("of %d classes (-want +got):\n%s", len(many.Classes), diff)
	}
	var none Outcome
	none.SetConfusion(nil)
	data, err := json.Marshal(none)
	var got map[string]any
	if err != nil || json.Unmarshal(data, &got) != nil {
		t.Fatal(err)
	}
	if confusion, there := got["confusion"]; !there || confusion != nil {
		t.Errorf("confusion is %v where nothing was predicted, want null", confusion)
	}
}
