package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"orchestrator/scheduler/plan"
)

type galleryInput struct {
	SweepInput
	Trial     int    `query:"trial" minimum:"-1" default:"-1" doc:"its number; the best where it is left out"`
	Sort      string `query:"sort" enum:"error,confidence,unsure" default:"error" doc:"error: 1 - the probability of the true class; confidence: the probability of the predicted class; unsure: how near the two most probable classes are"`
	Order     string `query:"order" enum:"asc,desc" default:"desc"`
	Label     string `query:"label" maxLength:"1000" doc:"pictures of this class alone"`
	Predicted string `query:"predicted" maxLength:"1000" doc:"pictures taken for this class alone"`
	Right     string `query:"right" enum:",true,false" doc:"pictures that were, or were not, told right"`
	Fold      int    `query:"fold" minimum:"-1" default:"-1" doc:"pictures of this fold's test set alone"`
	Offset    int    `query:"offset" minimum:"0" default:"0"`
	Limit     int    `query:"limit" minimum:"1" maximum:"500" default:"60"`
}

type gallery struct {
	Trial   int           `json:"trial"`
	Classes []string      `json:"classes"`
	Total   int           `json:"total" doc:"that match"`
	Items   []galleryItem `json:"items"`
}

type galleryItem struct {
	File          string    `json:"file"`
	Picture       string    `json:"picture" doc:"where it is"`
	Fold          int       `json:"fold"`
	Job           string    `json:"job"`
	Label         string    `json:"label"`
	Predicted     string    `json:"predicted"`
	Right         bool      `json:"right"`
	Confidence    float64   `json:"confidence"`
	Probabilities []float64 `json:"probabilities" doc:"of every class; null where there are more than 3000"`
}

func (s *Server) getPictures(ctx context.Context, in *galleryInput) (*gallery, error) {
	p, r, err := s.planAndResults(ctx, in.Sweep)
	if err != nil {
		return nil, err
	}
	if in.Trial < 0 {
		if r.Best == nil {
			return nil, problemf(http.StatusNotFound, "name one with trial=N", "no trial of sweep %s has completed", p.ID)
		}
		in.Trial = r.Best.Trial
	}
	if err := checkTrial(p, in.Trial); err != nil {
		return nil, err
	}
	all, err := s.trialAnswers(ctx, p, r.Trials[in.Trial])
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(slices.Clone(all), func(a answered) bool { return !in.wants(p, a) })
	slices.SortStableFunc(chosen, func(a, b answered) int { return in.compare(a, b) })
	g := &gallery{Trial: in.Trial, Classes: p.Data.Classes, Total: len(chosen), Items: []galleryItem{}}
	from := min(in.Offset, len(chosen))
	for _, a := range chosen[from:min(from+in.Limit, len(chosen))] {
		g.Items = append(g.Items, galleryItem{
			File: a.File, Picture: fmt.Sprintf("/api/v1/sweeps/%s/picture/%d", p.ID, a.Sample), Fold: a.Fold, Job: a.Job,
			Label: p.Data.Classes[a.Label], Predicted: p.Data.Classes[a.Predicted], Right: a.Right(), Confidence: a.Confidence(), Probabilities: a.Probabilities,
		})
	}
	return g, nil
}

func (in *galleryInput) wants(p *plan.Plan, a answered) bool {
	return (in.Label == "" || p.Data.Classes[a.Label] == in.Label) &&
		(in.Predicted == "" || p.Data.Classes[a.Predicted] == in.Predicted) &&
		(in.Right == "" || (in.Right == "true") == a.Right()) &&
		(in.Fold < 0 || a.Fold == in.Fold)
}

// compare orders pictures; equals stay in the order of folds.
func (in *galleryInput) compare(a, b answered) int {
	order := cmp.Compare(in.rank(a), in.rank(b))
	if in.Order == "desc" {
		return -order
	}
	return order
}

func (in *galleryInput) rank(a answered) float64 {
	switch in.Sort {
	case "confidence":
		return a.Confidence()
	case "unsure":
		return -a.Margin()
	}
	return 1 - a.OfLabel()
}
