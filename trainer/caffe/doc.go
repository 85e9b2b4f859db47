// Package caffe imports networks that Caffe trained: a .caffemodel, with or
// without its deploy.prototxt, becomes an ONNX graph with the same weights, bit by
// bit, and the same arithmetic: pools round up, averages count the padding, LRN
// divides alpha by its size. Mean files become mean pixels.
//
//	.caffemodel ──binary──┐
//	                      ├──► message (a tree by field names) ──► layers ──► onnx.Graph
//	.prototxt ────text────┘
//
// It is written against the published layout of Caffe's messages (caffe.proto):
// layers of the present form and those of its first version.
package caffe
