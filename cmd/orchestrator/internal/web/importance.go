package web

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

// keptImportances is how many are kept: they take a while, and change with each trial
// that completes alone.
const keptImportances = 32

// importances are worked out one at a time: each keeps a processor busy.
type importances struct {
	mu   sync.Mutex
	kept *lru.Cache[string, *analysis.Importance]
}

func newImportances() *importances {
	kept, err := lru.New[string, *analysis.Importance](keptImportances)
	if err != nil {
		panic(err) // only of a size below one
	}
	return &importances{kept: kept}
}

type importanceInput struct {
	SweepInput
	Metric string `query:"metric" maxLength:"40" doc:"the sweep's own where it is left out"`
}

func (s *Server) getImportance(ctx context.Context, in *importanceInput) (*analysis.Importance, error) {
	p, r, err := s.planAndResults(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	over := 0
	for _, t := range r.Trials {
		if t.State == plan.Completed || t.State == plan.Pruned {
			over++
		}
	}
	name := fmt.Sprint(in.Sweep, "/", over, "/", in.Metric)
	s.importances.mu.Lock()
	defer s.importances.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err // left while others waited
	}
	if known, ok := s.importances.kept.Get(name); ok {
		return known, nil
	}
	found, err := analysis.Weigh(p, r, in.Metric)
	if err != nil {
		return nil, err
	}
	s.importances.kept.Add(name, found)
	return found, nil
}
