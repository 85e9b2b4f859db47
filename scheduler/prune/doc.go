// Package prune decides when a trial stops before its end: at a number of
// epochs (a rung), or after some of its folds. It is pure: [Rules.Next] depends
// on its arguments alone, so that any process comes to the same decision.
//
// # Stages
//
// A trial goes through stages: first its folds train to each rung in turn, then
// the first folds train to their ends, then one fold after the other. After each
// stage the trial is compared with others, and stops or goes on:
//
//	rung 2 ──► rung 6 ──► folds 0, 1 to the end ──► fold 2 ──► fold 3 ──► fold 4
//
// # What a trial is compared with
//
// A trial is compared with those that the caller passes as before: trials whose
// ends are known. Which these are must not depend on who was faster. The
// scheduler passes the trials from the first up to a fixed distance behind (see
// max_concurrent_trials), all of which are over, so that a search has the same
// result on one machine and on fifty, and after any crash. Successive halving
// alone compares all trials of the sweep at a rung at once, and waits for them.
//
// # Rules
//
//   - Successive halving: K. Jamieson, A. Talwalkar, "Non-stochastic best arm
//     identification and hyperparameter optimization" (AISTATS 2016).
//   - ASHA: L. Li et al., "A system for massively parallel hyperparameter tuning"
//     (MLSys 2020), in the form that only stops: a trial goes on at a rung if it
//     is in the best 1/eta of those that were there.
//   - Hyperband: L. Li et al., "Hyperband: a novel bandit-based approach to
//     hyperparameter optimization" (JMLR 2018): several brackets of ASHA, which
//     differ in their first rung.
//   - Median: D. Golovin et al., "Google Vizier: a service for black-box
//     optimization" (KDD 2017): a trial stops whose best score is worse than the
//     median of the others' mean scores up to there.
//   - Folds: a paired test against the best trial so far, of whether the trial
//     can still win; see [ChanceToWin].
package prune
