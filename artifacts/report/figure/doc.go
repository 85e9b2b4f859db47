// Package figure draws a report's charts as SVG or PNG. It alone uses gonum's
// plotter. Colours are those of Okabe and Ito (2008), which colour-blind people can
// tell apart; series also differ by dashes and marks.
package figure
