// Package builtin holds the networks that come with the program, with random
// weights: CaffeNet as its authors defined it, and small ones that train in seconds
// on a processor.
//
// They are templates (batch open) of ordinary ONNX operators with layers named
// as in Caffe (conv1, relu1, pool1, ...), and end in a Softmax named prob.
package builtin
