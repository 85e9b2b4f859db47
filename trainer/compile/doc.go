// Package compile turns an imported classifier into the graphs that train and
// evaluate it, in standard ONNX operators alone: forward, loss, backward and
// update become one graph that any stock ONNX Runtime executes.
package compile
