// Package autodiff writes the gradient of a graph into the same graph, in
// standard ONNX operators, by one reverse walk over the Builder's nodes.
//
// The vocabulary of the rules, for an edge from input i of a node:
//
//	X(k)   the node's k-th input
//	Y(k)   its k-th output
//	DY()   the gradient of the loss by the first output, of that output's shape
//	I()    the position i of the input that the gradient is asked for
//
// A rule (formula) returns the gradient by X(I()). It may return any shape that
// broadcasting relates to that of X(I()): the walk sums over broadcast
// dimensions, expands what is smaller, and adds up the gradients of a value
// that is used several times. Rules never do. They may also repeat
// subexpressions freely, as the Builder shares equal nodes, and carry no error
// values, as the Builder's first error sticks.
//
// The one table of rules is in rules.go. An operator without a row there is an
// error that names the node; a nil formula says that an input has no gradient.
package autodiff
