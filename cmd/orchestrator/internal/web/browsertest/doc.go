// Package browsertest drives a real browser through the pages of `orchestrator
// serve`, for tests: headless Chromium, by chromedp.
//
// A Browser is started once and shared; each Page is a tab of its own, with cookies
// of its own. A page notes whatever no page may do: errors on the console,
// exceptions, refused or failed loads, and requests to any other host, which the
// browser cannot reach either. Its test fails of them at its end.
package browsertest
