package report

import (
	"encoding/json"
	"fmt"
	"io"

	"orchestrator/scheduler/plan"
)

// JSON writes the results as the stable document that scripts depend on.
func JSON(w io.Writer, r *plan.Results) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write results as JSON: %w", err)
	}
	return nil
}
