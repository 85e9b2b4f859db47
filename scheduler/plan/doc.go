// Package plan turns a sweep file into trials, folds and jobs. It is pure: no
// I/O, no clock, no other package of this module, so that any process that
// reads the same file and the same data index arrives at the same plan.
//
// Words: a sweep is what the user submits; a trial is one assignment of the
// searched parameters; a fold is one train/test split of the cross-validation;
// a job is one trial on one fold, the unit that is queued; an attempt is one
// execution of a job; an outcome is the recorded result of a job, written once.
package plan
