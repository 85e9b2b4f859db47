// Package gc finds what nobody needs any more in an artifact store, and removes it.
//
// # What goes
//
//	checkpoints   of jobs that have an outcome, beyond what their sweeps keep
//	unfinished    tensors whose pointer was never written, and networks and predictions
//	              whose outcome was not: left by attempts that were killed
//	features      of passes that no job of a sweep that is not completed has used
//	packs, models data sets and base models that no sweep refers to
//	jobs          all objects of jobs that no sweep refers to
//	sweeps        what is left of sweeps without a plan: their deletion was cut off
//	marks         of doctor and gc processes that were killed
//
// A whole sweep goes only when it is named, and then with all that no other needs.
//
// # Safe beside everybody
//
// What a plan refers to is never removed: its data set and base models, also where
// those are networks that another sweep trained, and its jobs, those of rungs
// included. What is younger than a grace age is left alone, as somebody may be about
// to refer to it, and so is what has changed since it was looked at.
//
// A submission may rely on an old object that nobody referred to a moment ago. So
// plans are looked at again at most a second before a shared object is removed;
// a gc leaves marks while it runs and when it is done; and a submission that finds,
// after it has stored its plan, that one has run beside it waits for longer than that
// second and stores again what is missing.
//
// Each removal stands for itself: a gc that is killed has removed a part of it, and two
// at once remove the same. Of a job the outcome goes first, so that what is left of a
// job is never taken for a finished one; pointers and records go before what they name.
package gc
