// Package search proposes the trials of a sweep: random search, scrambled
// Sobol points, TPE and CMA-ES.
//
// [Propose] is a pure function of the method, the space, the seed, the
// number of the trial and the outcomes so far: any process that knows them
// proposes the same point, so a search needs no process of its own and goes
// on after any of them is gone. Whoever uses a proposal records it: two
// processes that have seen different outcomes may propose different points
// for one trial, and the first record counts.
//
// A space is a list of dimensions on the unit interval. The caller maps a
// coordinate u to a parameter's value by the inverse of the distribution
// function of its prior, so that logarithmic and normal families need
// nothing here; integers, quantised and categorical parameters say how many
// levels they have.
//
// A dimension may count under conditions alone. Its coordinate is drawn in any
// case: CMA-ES moves in a cube, and the coordinates that did not count drift, as
// nothing chose them. TPE leaves them out of its densities, and points that differ
// in them alone are one point.
//
// # What a proposal costs
//
// What is costly does not grow with the search; what does is a pass over the
// outcomes, and for TPE their order (see BenchmarkPropose): TPE compares at most 25 good with the
// 256 newest other trials, and CMA-ES replays at most the last
// [cmaRun] trials, as it starts anew from the best point after that many.
//
// # Sources
//
//   - Sobol: S. Joe, F. Y. Kuo, "Constructing Sobol sequences with better
//     two-dimensional projections", SIAM J. Sci. Comput. 30 (2008); scrambling:
//     A. B. Owen, "Randomly permuted (t,m,s)-nets and (t,s)-sequences" (1995).
//   - TPE: J. Bergstra et al., "Algorithms for hyper-parameter optimization"
//     (NeurIPS 2011); one joint density over all dimensions: S. Falkner et al.,
//     "BOHB" (ICML 2018); the settings are those of Optuna's multivariate
//     TPESampler.
//   - Constant liar: D. Ginsbourger et al., "Kriging is well-suited to
//     parallelize optimization" (2010).
//   - CMA-ES: N. Hansen, "The CMA evolution strategy: a tutorial",
//     arXiv:1604.00772.
package search
