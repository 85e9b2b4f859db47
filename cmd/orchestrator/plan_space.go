package main

import (
	"fmt"
	"io"
	"strings"

	"orchestrator/scheduler/plan"
)

// spaceSummary is what bounds the trials of a sweep.
type spaceSummary struct {
	// Conditional are the parameters that not every trial has.
	Conditional []conditionalSummary `json:"conditional,omitempty"`
	Constraints []string             `json:"constraints,omitempty"`
	// Combinations says what the constraints left out while the trials were listed.
	Combinations plan.Tally `json:"combinations,omitzero"`
}

// conditionalSummary is a parameter and where it exists.
type conditionalSummary struct {
	Parameter string   `json:"parameter"`
	When      []string `json:"when"` // all of them hold
	Trials    int      `json:"trials"`
}

func summarizeSpace(s *plan.Sweep) spaceSummary {
	summary := spaceSummary{Constraints: s.Constraints, Combinations: s.Constrained}
	for _, p := range s.Conditional {
		c := conditionalSummary{Parameter: p.Path}
		for _, condition := range p.When {
			c.When = append(c.When, condition.String())
		}
		for _, t := range s.Trials {
			if p.ExistsIn(t.Parameters) {
				c.Trials++
			}
		}
		summary.Conditional = append(summary.Conditional, c)
	}
	return summary
}

// printSpace says what not every trial has, and what no trial may be.
func printSpace(w io.Writer, s spaceSummary) {
	for _, c := range s.Conditional {
		fmt.Fprintf(w, "  %s where %s: in %s\n", c.Parameter, strings.Join(c.When, " and "), counted(c.Trials, "trial"))
	}
	if n := len(s.Constraints); n > 0 {
		fmt.Fprintf(w, "  %s left out %d of %s of parameters\n", counted(n, "constraint"), s.Combinations.LeftOut, counted(s.Combinations.Looked, "combination"))
	}
}
