// Package stats computes what a report says of cross-validated classifiers:
// differences with intervals that know of overlapping training sets, ROC curves,
// calibration, histograms. All functions depend on their arguments alone.
package stats
