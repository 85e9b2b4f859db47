// Package optim writes the update of a parameter into a training graph: from
// the parameter, its gradient and the state kept from step to step, their new
// values.
//
// The forms are Caffe's (https://caffe.berkeleyvision.org/tutorial/solver.html):
// the learning rate multiplies the gradient before it enters the velocity, and
// weight decay is part of the gradient. A rule is a row of the table in
// rules.go.
package optim
