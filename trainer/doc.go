// Package trainer runs one job: it compiles a network into training and
// evaluation graphs, feeds mini-batches through a Session, scores the test
// pictures, and writes checkpoints from which a later attempt continues with
// the same bits.
//
// It knows nothing of queues, stores or sweeps: package worker hands it data,
// a place for checkpoints and a runtime.
package trainer
