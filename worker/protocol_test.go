package worker

import (
	"encoding/json"
	"slices"

	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/quick"

	"orchestrator/scheduler/plan"
)

// However the bytes are cut into writes, the lines come out whole.
func TestLineWriterIsBlindToPieces(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	check := func(text string) bool {
		text = strings.ReplaceAll(text, "a", "\n")
		var got []string
		w := &lineWriter{line: func(line []byte) { got = append(got, string(line)) }}
		for rest := []byte(text); len(rest) > 0; {
			n := 1 + random.IntN(len(rest))
			if _, err := w.Write(rest[:n]); err != nil {
				return false
			}
			rest = rest[n:]
		}
		w.flush()
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		return strings.Join(got, "\n") == strings.Join(want, "\n") && len(got) == len(want)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
}

func TestLineWithoutEndIsBounded(t *testing.T) {
	w := &lineWriter{line: func([]byte) { t.Error("there is no line") }}
	piece := bytes.Repeat([]byte("x"), 1<<20)
	var err error
	for range maxLine>>20 + 1 {
		if _, err = w.Write(piece); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the memory for a line is not bounded")
	}
}

// The result of a job reaches the daemon whatever the number of its classes.
func TestResultOfManyClassesIsALine(t *testing.T) {
	for _, classes := range []int{3, plan.MostDense, 10_000} {
		o := &plan.Outcome{Classes: make([]string, classes)}
		var cells [][3]int
		for c := range classes {
			cells = append(cells, [3]int{c, (c + 1) % classes, 2})
		}
		o.SetConfusion(cells)
		var got event
		to := &eventWriter{w: &lineWriter{line: func(line []byte) {
			if err := json.Unmarshal(line, &got); err != nil {
				t.Error(err)
			}
		}}}
		if err := to.write(event{Kind: eventResult, Outcome: o}); err != nil {
			t.Fatalf("of %d classes: %v", classes, err)
		}
		if dense := classes <= plan.MostDense; dense && got.Outcome.Confusion[classes-1][0] != 2 || !dense && !slices.Equal(got.Outcome.ConfusionCells, cells) {
			t.Errorf("of %d classes the daemon has another confusion", classes)
		}
	}
}

// What is too long would be too long in every attempt.
func TestTooLongEventIsPermanent(t *testing.T) {
	var out bytes.Buffer
	err := (&eventWriter{w: &out}).write(event{Kind: eventResult, Reason: strings.Repeat("x", maxLine)})
	if err == nil || !failure(err).Permanent || out.Len() > 0 {
		t.Errorf("%v, and %d bytes were written", err, out.Len())
	}
}
