package web

import (
	"context"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"orchestrator/artifacts/report/stats"
	"orchestrator/scheduler/plan"
)

// answered is a picture with what a trial's network of the fold said of it that had
// not been trained on it.
type answered struct {
	stats.Answer
	Sample int // its number in the data set
	Job    string
}

// keptTrials is of how many trials the answers are kept, for those who leaf through
// the pictures.
const keptTrials = 4

// answerCache keeps answers of completed jobs, which never change.
type answerCache struct {
	mu   sync.Mutex // one reads at a time: they take memory
	kept *lru.Cache[string, []answered]
}

func newAnswerCache() *answerCache {
	kept, err := lru.New[string, []answered](keptTrials)
	if err != nil {
		panic(err) // only of a size below one
	}
	return &answerCache{kept: kept}
}

// trialAnswers are the answers of a trial's completed folds, one fold after the other.
func (s *Server) trialAnswers(ctx context.Context, p *plan.Plan, t plan.TrialResult) ([]answered, error) {
	name := fmt.Sprint(p.ID, "/", t.Trial)
	for _, f := range t.Folds {
		if f.State == plan.Completed {
			name += "/" + f.Job
		}
	}
	s.answers.mu.Lock()
	defer s.answers.mu.Unlock()
	if known, ok := s.answers.kept.Get(name); ok {
		return known, nil
	}
	all := []answered{}
	for _, f := range t.Folds {
		if f.State != plan.Completed {
			continue
		}
		answers, err := s.answersOf(ctx, f.Job, p.Data.Classes, f.Fold)
		if err != nil {
			return nil, err
		}
		test := p.Folds[f.Fold].Test
		if len(test) != len(answers) {
			return nil, fmt.Errorf("job %s has %d predictions for the %d pictures of its fold", f.Job, len(answers), len(test))
		}
		for i, a := range answers { // they are in the order of the fold
			all = append(all, answered{a, test[i], f.Job})
		}
	}
	s.answers.kept.Add(name, all)
	return all, nil
}
