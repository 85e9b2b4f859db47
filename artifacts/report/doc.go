// Package report writes the results of a sweep for people and programs: an
// aligned table for terminals, JSON (the stable contract for scripts), CSV with
// one row per fold, and a LaTeX table for papers.
//
// Every writer depends on the results alone, so the same results give the same
// bytes. Text that comes from sweep files or errors is made harmless for its
// destination: control characters never reach a terminal, a spreadsheet never
// sees a formula, LaTeX never sees a command.
package report
