// Package surgery changes a network's architecture before it is trained:
// graph to graph, in the steps that a sweep file lists.
//
// A layer is a node of the graph under the name that `orchestrator model
// inspect` prints. Its parameters are the weights that it reads; the bias of a
// MatMul is the Add behind it.
//
// Everything that a step draws at random is keyed by the seed and the
// parameter's name, so the same steps give the same bits on every machine and
// in whatever order other parameters are filled.
package surgery
