// Package compile turns an imported classifier into the graphs that train and
// evaluate it, in standard ONNX operators alone: forward, loss, backward and
// update become one graph that any stock ONNX Runtime executes.
//
// Train gives the whole step. For mini-batches that do not fit into memory,
// Accumulate adds up the gradients of micro-batches and Apply updates the
// parameters once with their sum: as each sample enters with its own weight,
// that is the update of the whole mini-batch, but for BatchNormalization,
// whose statistics are those of each micro-batch. Average keeps a moving average
// of the weights. Eval scores pictures.
//
// What a layer does in training:
//
//   - Dropout multiplies by a mask that the host feeds.
//   - BatchNormalization normalises by the statistics of the mini-batch and
//     moves its running statistics, which are State, towards them. A layer
//     whose own parameters are all frozen uses its running statistics, and they
//     stay as they are.
//   - A final Softmax is taken together with the loss, from its input; what the
//     losses are says the table in loss.go.
//
// Options.Precision puts a step's arithmetic into bfloat16 or float16, by the table
// in precision_table.go; docs/engine.md has the reasons.
//
// The emitted graph is a function of the model and the Options alone, lowerings
// included: the same job trains with the same bits wherever it runs.
package compile
