// Package ort runs graphs with the ONNX Runtime shared library, through
// github.com/yalue/onnxruntime_go. No other package imports that module.
//
// The library is a file that comes from elsewhere (`make setup` brings one; a
// user may have an own build), so everything that can be wrong with it is told
// apart before it is loaded for good: FindLibrary says where it looked, and New
// distinguishes a missing file, a file that is no library, a library for another
// machine, one that is no ONNX Runtime, and an ONNX Runtime of the wrong version.
// These errors have a Hint() naming the command that repairs the matter.
//
// Sessions are set up for numbers that do not depend on chance: nodes run one
// after another, each with a fixed number of threads, so that the same graph on
// the same inputs gives the same bits in every process.
package ort
