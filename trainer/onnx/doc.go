// Package onnx holds computation graphs in the form of the ONNX standard: a
// graph in memory, a Builder that writes one with static shapes, shape
// inference, a checker, a text dump that people can read, and the protobuf
// encoding.
//
// All graphs are of one operator-set version (Opset); package onnximport brings
// other versions to it. The operator definitions are those of
// https://onnx.ai/onnx/operators/ at that version.
package onnx
