// Package scheduler submits plans and brings them to their end.
//
// # The store is the truth
//
// A sweep exists from the moment that its plan.json does: what it refers to
// (data set, base models, the specs of its jobs) is stored before. A job is
// over when its outcome exists, or the failure that says it was given up. What
// the queue holds follows from that, and can be lost at any time.
//
// # Reconcile
//
// There is no scheduler process to lose, but one function that compares what a
// sweep wants with what the queue has, enqueues what is missing and withdraws
// what nobody wants any more:
//
//	outcome exists      ──► out of the queue
//	failure exists      ──► out of the queue, until somebody retries it
//	sweep is canceled   ──► out of the queue, until somebody resumes it
//	anything else       ──► in the queue
//
// It may be killed at any point, run by any number of processes at once, and
// run again: each run leaves the queue no further from what is wanted.
// Submit, Resume, Retry and Cancel change the store and then call it.
package scheduler
