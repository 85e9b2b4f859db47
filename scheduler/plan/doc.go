// Package plan turns a sweep file into trials, folds and jobs. It is pure: no
// I/O, no clock, no other package of this module, so that any process that
// reads the same file and the same data index arrives at the same plan.
//
// Words: a sweep is what the user submits; a trial is one assignment of the
// searched parameters; a fold is one train/test split of the cross-validation;
// a job is one trial on one fold, the unit that is queued; an attempt is one
// execution of a job; an outcome is the recorded result of a job, written once.
//
// The way through it: Parse reads a sweep file strictly and lists its trials;
// Sweep.Folds splits the samples; Expand makes the Plan, whose jobs are named by
// the content that determines their outcome; Plan.Spec is what a worker gets;
// Summarize turns what is known of the jobs into Results. The types here are
// also the JSON documents of the artifact store, and keys.go says where each is.
package plan
