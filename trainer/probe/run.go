package probe

import (
	"fmt"
	"math"

	"orchestrator/trainer"
	"orchestrator/trainer/linear"
)

// Job is a classifier on one fold.
type Job struct {
	Labels      []int // of all pictures
	Classes     int
	Train, Test []int // pictures
	Classifier  linear.Classifier
	Grid        []float64 // of C, ascending
	InnerFolds  int
	Seed        int64
}

// Result is what it came to.
type Result struct {
	*linear.Found
	Fit         *linear.Fit // of the C that the inner folds chose
	Predictions []trainer.Prediction
	Scores      trainer.Scores // without the loss of an SVM, which gives no probabilities
	Confusion   [][3]int
	Converged   bool // of every fit
}

// Run chooses C by inner cross-validation and answers for the test pictures. Its
// probabilities are those of the logistic regression; an SVM's are the logistic
// function of its decision value, or its votes, and only order the answers.
func Run(in *Inputs, j Job) (*Result, error) {
	found, err := linear.Search{
		X: in.Matrix, Y: j.Labels, Classes: j.Classes, Train: j.Train, Test: j.Test,
		Classifier: j.Classifier, Grid: j.Grid, InnerFolds: j.InnerFolds, Seed: j.Seed,
	}.Run()
	if err != nil {
		return nil, err
	}
	r := &Result{Found: found, Fit: found.Fits[found.Chosen], Converged: true}
	for _, f := range found.Fits {
		r.Converged = r.Converged && f.Converged
	}
	for _, picture := range j.Test {
		p := trainer.Prediction{Sample: picture, Label: j.Labels[picture], Predicted: r.Fit.Predict(in.Matrix.Row(picture))}
		shares := r.Fit.Shares(in.Matrix.Row(picture))
		for _, x := range shares {
			p.Probabilities = append(p.Probabilities, float32(x))
		}
		p.Loss = -math.Log(max(shares[p.Label], math.SmallestNonzeroFloat64))
		r.Predictions = append(r.Predictions, p)
	}
	r.Scores, r.Confusion = trainer.Score(r.Predictions, j.Classes), trainer.Confusion(r.Predictions)
	if j.Classifier == linear.SVM {
		delete(r.Scores, "loss")
	}
	if got := found.Test[found.Chosen]; math.Abs(got-r.Scores["accuracy"]) > 1e-9 {
		return nil, fmt.Errorf("the answers' accuracy is %v, the search's %v", r.Scores["accuracy"], got)
	}
	return r, nil
}
