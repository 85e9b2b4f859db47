// Package optim writes the update of a parameter into a training graph: from
// the parameter, its gradient and the state kept from step to step, their new
// values. A rule is a row of the table in rules.go; momentum.go and adaptive.go
// hold the formulas, each with its source.
//
// sgd and nesterov have Caffe's form
// (https://caffe.berkeleyvision.org/tutorial/solver.html): the learning rate
// multiplies the gradient before it enters the velocity. sgd_pytorch has
// PyTorch's, where it multiplies the velocity; the two differ when the rate
// changes. Weight decay is part of the gradient (L2 penalty), unless
// Hyper.Decoupled takes it out.
//
// clip.go bounds gradients before any rule sees them; average.go keeps the
// moving average of the weights.
package optim
