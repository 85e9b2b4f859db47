package search

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// primitive polynomials by their number for each degree: phi(2^d - 1) / d.
func TestPrimitivePolynomials(t *testing.T) {
	for degree, want := range map[int]int{1: 1, 2: 1, 3: 2, 4: 2, 5: 6, 6: 6, 7: 18, 8: 16, 9: 48, 10: 60} {
		got := 0
		for inner := range uint32(1) << max(degree-1, 0) {
			if primitive(1<<degree|inner<<1|1, degree) {
				got++
			}
		}
		if got != want {
			t.Errorf("%d primitive polynomials of degree %d, want %d", got, degree, want)
		}
	}
}

// The first 2^k points of every dimension hit each interval of 2^-k once, plain and
// scrambled.
func TestSobolIsANet(t *testing.T) {
	const dims, k = 100, 8
	table := directions(dims)
	for d := range dims {
		for name, digits := range map[string]func(n uint32) uint32{
			"plain":     func(n uint32) uint32 { return vertex(&table[d], n) },
			"scrambled": func(n uint32) uint32 { return scramble(vertex(&table[d], n), uint64(d)+7) },
		} {
			seen := map[uint32]bool{}
			for n := range uint32(1) << k {
				seen[digits(n)>>(sobolBits-k)] = true
			}
			if len(seen) != 1<<k {
				t.Errorf("dimension %d, %s: %d of %d intervals are hit", d, name, len(seen), 1<<k)
			}
		}
	}
}

// Sobol points fill squares of the first dimensions more evenly than random ones.
func TestSobolIsEven(t *testing.T) {
	const n, dims = 256, 8
	space := slices.Repeat([]Dimension{{Kind: Continuous}}, dims)
	uneven := func(method Method) (sum float64) {
		var points [][]float64
		for i := range n {
			p, err := Propose(method, space, 3, i, nil)
			if err != nil {
				t.Fatal(err)
			}
			points = append(points, p)
		}
		for a := range dims {
			for b := range a {
				var counts [64]float64
				for _, p := range points {
					counts[int(p[a]*8)*8+int(p[b]*8)]++
				}
				for _, c := range counts {
					sum += (c - n/64) * (c - n/64)
				}
			}
		}
		return sum
	}
	if sobol, random := uneven(Sobol), uneven(Random); sobol > random/2 {
		t.Errorf("Sobol points deviate by %v, random ones by %v", sobol, random)
	}
}

var mixture = []Dimension{
	{Kind: Continuous}, {Kind: Ordinal, Levels: 5}, {Kind: Categorical, Levels: 3},
	{Kind: Ordinal, Levels: 3, Edges: []float64{0, 0.7, 0.9, 1}},
}

// history runs a search for n trials on a made-up objective.
func history(t *testing.T, method Method, space []Dimension, n int, state func(i int) State) []Outcome {
	t.Helper()
	var all []Outcome
	for i := range n {
		p, err := Propose(method, space, 5, i, all)
		if err != nil {
			t.Fatal(err)
		}
		value := 0.0
		for k, u := range p {
			value += (u - 0.3*float64(k)) * (u - 0.3*float64(k))
		}
		all = append(all, Outcome{Trial: i, Point: p, Value: value, State: state(i)})
	}
	return all
}

func finished(int) State { return Finished }

// A proposal depends on what is known, not on the order it came to be known in, nor
// on the process: shuffled outcomes give the same point.
func TestProposalsAreAFunction(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	states := func(i int) State { return []State{Finished, Finished, Finished, Failed, Pruned, Running}[i%6] }
	for _, method := range Methods() {
		outcomes := history(t, method, mixture, 60, states)
		want, err := Propose(method, mixture, 5, 60, outcomes)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			r.Shuffle(len(outcomes), func(i, j int) { outcomes[i], outcomes[j] = outcomes[j], outcomes[i] })
			if got, err := Propose(method, mixture, 5, 60, outcomes); err != nil || !slices.Equal(got, want) {
				t.Fatalf("%s: %v and %v (%v)", method, want, got, err)
			}
		}
		if other, err := Propose(method, mixture, 6, 60, outcomes); err != nil || slices.Equal(other, want) {
			t.Errorf("%s: another seed proposes the same (%v)", method, err)
		}
	}
}

// In a finite space every combination comes once, and then the search says so.
func TestEveryCombinationOnce(t *testing.T) {
	space := []Dimension{{Kind: Ordinal, Levels: 4}, {Kind: Categorical, Levels: 3}, {Kind: Ordinal, Levels: 2, Edges: []float64{0, 0.9, 1}}}
	for _, method := range Methods() {
		all := history(t, method, space, 24, finished)
		seen := map[string]bool{}
		for _, o := range all {
			seen[fmt.Sprint(o.Point)] = true
		}
		if len(seen) != 24 {
			t.Errorf("%s: %d of 24 combinations", method, len(seen))
		}
		if _, err := Propose(method, space, 5, 24, all); !errors.Is(err, ErrExhausted) {
			t.Errorf("%s: the 25th trial: %v", method, err)
		}
	}
}

// Trials that run at the same time are different ones.
func TestParallelProposalsDiffer(t *testing.T) {
	for _, method := range Methods() {
		outcomes := history(t, method, mixture, 30, finished)
		for i := 30; i < 40; i++ {
			p, err := Propose(method, mixture, 5, i, outcomes)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range outcomes {
				if slices.Equal(o.Point, p) {
					t.Errorf("%s: trial %d is trial %d again", method, i, o.Trial)
				}
			}
			outcomes = append(outcomes, Outcome{Trial: i, Point: p, State: Running})
		}
	}
}

// Levels come as often as their cells are wide.
func TestEdges(t *testing.T) {
	for _, method := range []Method{Random, Sobol} {
		counts := [3]int{}
		space := []Dimension{{Kind: Continuous}, mixture[3]}
		for i := range 1000 {
			p, err := Propose(method, space, 9, i, nil)
			if err != nil {
				t.Fatal(err)
			}
			level := 0
			for level < 2 && p[1] >= mixture[3].Edges[level+1] {
				level++
			}
			counts[level]++
		}
		for level, want := range []float64{700, 200, 100} {
			if math.Abs(float64(counts[level])-want) > 60 {
				t.Errorf("%s: level %d came %d times of 1000, want about %v", method, level, counts[level], want)
			}
		}
	}
}

func TestBadArguments(t *testing.T) {
	for name, propose := range map[string]func() ([]float64, error){
		"method":  func() ([]float64, error) { return Propose("bayes", mixture, 1, 0, nil) },
		"trial":   func() ([]float64, error) { return Propose(Random, mixture, 1, -1, nil) },
		"outcome": func() ([]float64, error) { return Propose(Random, mixture, 1, 1, []Outcome{{Point: []float64{1}}}) },
		"too many": func() ([]float64, error) {
			return Propose(Sobol, slices.Repeat([]Dimension{{}}, maxSobol+1), 1, 0, nil)
		},
	} {
		if _, err := propose(); err == nil {
			t.Errorf("a bad %s is accepted", name)
		}
	}
}

// BenchmarkPropose measures a proposal after that many trials.
func BenchmarkPropose(b *testing.B) {
	for _, method := range Methods() {
		for _, n := range []int{100, 1000, 10_000} {
			space := slices.Repeat([]Dimension{{Kind: Continuous}}, 6)
			outcomes := make([]Outcome, n)
			for i := range outcomes {
				r := random(1, "benchmark", i)
				p := prior(space, r)
				outcomes[i] = Outcome{Trial: i, Point: p, Value: p[0] * p[1]}
			}
			b.Run(fmt.Sprintf("%s/%d", method, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := Propose(method, space, 1, n, outcomes); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
