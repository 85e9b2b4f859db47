// Package page lays a sweep's results out for readers, as the appendix of a paper
// would: the table of variants with differences and their intervals, learning
// curves, what the best trial gets right and wrong, the settings, and what the
// figures mean. It writes one HTML file that needs nothing else, Markdown, and
// LaTeX tables; figures also as files.
//
// Everything follows from what the store holds, so the same sweep gives the same
// bytes. All text of users is escaped.
package page
