package plan

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEpochIsOneFlatObject(t *testing.T) {
	got, err := json.Marshal(Epoch{Epoch: 1, TrainLoss: 0.69, Metrics: Metrics{"loss": 0.66, "accuracy": 0.61}, Seconds: 9.5})
	if want := `{"epoch":1,"train_loss":0.69,"accuracy":0.61,"loss":0.66,"seconds":9.5}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
	got, err = json.Marshal(Epoch{Epoch: 2, TrainLoss: math.NaN(), Metrics: Metrics{"loss": math.Inf(1)}})
	if want := `{"epoch":2,"train_loss":null,"loss":null}`; err != nil || string(got) != want {
		t.Errorf("diverged: got %s, %v; want %s", got, err, want)
	}
	if _, err := json.Marshal(Epoch{Metrics: Metrics{"epoch": 1}}); err == nil {
		t.Error("a metric may take the name of another key")
	}
	for _, bad := range []string{`[]`, `{"epoch": "x"}`, `{"epoch": 1, "loss": "x"}`, `{"train_loss": {}}`} {
		if err := json.Unmarshal([]byte(bad), new(Epoch)); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

// Every number comes back bit by bit, as resumed jobs copy history.
func TestNumbersSurviveJSON(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	anyFloat := func() float64 {
		if x := math.Float64frombits(r.Uint64()); !math.IsInf(x, 0) {
			return x
		}
		return math.NaN()
	}
	for range 2000 {
		want := Outcome{
			Job: "j", Epochs: 1, Seconds: r.Float64(),
			Metrics: Metrics{"accuracy": anyFloat(), "loss": r.Float64()},
			History: []Epoch{{Epoch: r.IntN(100), TrainLoss: anyFloat(), Metrics: Metrics{"f1": anyFloat(), "loss": r.Float64()}, Seconds: r.Float64()}},
		}
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Outcome
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", data, diff)
		}
	}
}

func TestStatAndMetricsWithoutNumbers(t *testing.T) {
	data, err := json.Marshal(map[string]any{"stat": Stat{0.5, math.NaN()}, "metrics": Metrics(nil)})
	if want := `{"metrics":{},"stat":{"mean":0.5,"std":null}}`; err != nil || string(data) != want {
		t.Errorf("got %s, %v; want %s", data, err, want)
	}
	var s Stat
	if err := json.Unmarshal([]byte(`{"mean":0.5,"std":null}`), &s); err != nil || s.Mean != 0.5 || !math.IsNaN(s.Std) {
		t.Errorf("read %+v, %v", s, err)
	}
}

func FuzzEpochJSON(f *testing.F) {
	f.Add(`{"epoch":1,"train_loss":0.69,"accuracy":0.61,"loss":null,"seconds":9.5}`)
	f.Fuzz(func(t *testing.T, text string) {
		var first, second Epoch
		if json.Unmarshal([]byte(text), &first) != nil {
			return
		}
		data, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%+v: %v", first, err)
		}
		if err := json.Unmarshal(data, &second); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateNaNs()); diff != "" {
			t.Fatalf("%s (-first +second):\n%s", data, diff)
		}
	})
}
