// Package trainer runs one job: it compiles a network into training and
// evaluation graphs, feeds mini-batches through a Session, scores the test
// pictures, and writes checkpoints from which a later attempt continues with
// the same bits.
//
// It knows nothing of queues, stores or sweeps: package worker hands it data,
// a place for checkpoints and a runtime.
//
// # One epoch
//
//	prefetcher (one goroutine)             step loop (the caller's goroutine)
//	permute Train, crop, mirror,    ──►    for each mini-batch: run the step program,
//	draw dropout masks; then the           swap the two sets of state buffers;
//	centre crops of Test                   then score Test, append to the history,
//	                                       checkpoint
//
// # Randomness
//
// Nothing is drawn from a running stream. The generator of each purpose is made
// by package rng from the job's seed and the words
//
//	"shuffle", epoch                  the order of the training samples
//	"augment", epoch, position        crop and mirror of the sample at that place of the order
//	"dropout", epoch, step, mask      one Dropout's mask for a mini-batch
//
// with epochs, positions and steps counted from 0. So a resumed job draws what
// the unbroken one would have drawn, and splitting a mini-batch into
// micro-batches changes no draw.
//
// # A frozen part
//
// Where Job.Features is set, the network is divided (Job.Frozen): mini-batches
// hold what the part below answered to each sample, and the step program is the
// part above. The evaluations are of features too, but for the last one, which is
// of pictures by the whole network: that is what the Result holds.
//
// # Memory
//
// Job.Memory predicts what a job takes from its programs, without running any.
//
// # Short batches
//
// Graphs have a fixed batch size. The rows of a short last batch are filled up by
// repeating its samples from the first one on, with weight 0 in the loss: they
// add nothing to the gradient. A BatchNormalization does see them in its batch
// statistics; repeating real samples keeps those statistics close to the
// batch's own, where zeros would not. Micro-batches without a real sample are not
// run at all, and BatchNormalization normalises each micro-batch by itself.
package trainer
