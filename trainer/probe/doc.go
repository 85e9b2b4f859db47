// Package probe fits linear classifiers to what a layer of a network answers to
// pictures (Alain and Bengio 2016): which layer knows how much of the classes.
//
//	features of a layer ──linear.Compress──► Inputs, in the machine's cache ──► Run, for each fold and classifier
//
// Of the features only the inner products of the pictures matter, so that Inputs
// are computed once for all folds, classifiers and values of C, whatever the size
// of the layer.
package probe
