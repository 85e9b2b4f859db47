package page

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

//go:embed page.html.tmpl
var source string

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"stat": statText, "difference": differenceText, "score": score, "percent": percent,
	"svg":  func(f Figure) template.URL { return dataURL("image/svg+xml", f.SVG) },
	"jpeg": func(data []byte) template.URL { return dataURL("image/jpeg", data) },
	"share": func(row []int, i int) template.CSS {
		return template.CSS(strconv.FormatFloat(shareOf(row, i), 'f', 2, 64))
	},
}).Parse(source))

// dataURL is a picture inside the document. Browsers run no script of a picture.
func dataURL(kind string, data []byte) template.URL {
	return template.URL("data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(data))
}

func shareOf(row []int, i int) float64 {
	sum := 0
	for _, n := range row {
		sum += n
	}
	return float64(row[i]) / float64(max(sum, 1))
}

// HTML writes one document with all reports, complete in itself: no scripts, no
// other files, no other hosts.
func HTML(w io.Writer, reports []*Report) error {
	if err := page.Execute(w, reports); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// statText is "0.8182 ± 0.0380".
func statText(c Cell) string {
	switch {
	case c.Trial < 0:
		return "–"
	case !c.Known:
		return string(c.State)
	}
	return plusMinus(c.Stat) + inBrackets(c.Partial)
}

// inBrackets is " (text)", or nothing.
func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

func plusMinus(s plan.Stat) string {
	if math.IsNaN(s.Std) {
		return score(s.Mean)
	}
	return score(s.Mean) + " ± " + score(s.Std)
}

// differenceText is "+0.0130 [-0.0021, +0.0281]".
func differenceText(d *analysis.Pair) string {
	if d == nil || !d.Low.Known() {
		return ""
	}
	return fmt.Sprintf("%+.4f [%+.4f, %+.4f]", float64(d.Difference), float64(d.Low), float64(d.High))
}

func score(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

func percent(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

// MetricOf is a fold's score for a cell.
func (r *Report) MetricOf(f plan.FoldResult, name string) string {
	x, ok := f.Metrics[name]
	if !ok {
		return "–"
	}
	return score(x)
}

// SummaryOf is a metric's mean and deviation for the trial that is shown.
func (r *Report) SummaryOf(name string) string {
	s, ok := r.Shown.Summary[name]
	if !ok {
		return "–"
	}
	return plusMinus(s) + inBrackets(r.Shown.Partial())
}

// BaselineText is what always answering the most frequent class gives.
func (r *Report) BaselineText() string {
	if r.Results.Baseline == nil {
		return ""
	}
	return plusMinus(r.Results.Baseline.Accuracy)
}

// Seconds is the time of all jobs.
func (r *Report) Seconds() string {
	sum := 0.0
	for _, t := range r.Results.Trials {
		for _, f := range t.Folds {
			sum += f.Seconds
		}
	}
	return strconv.FormatFloat(sum, 'f', 1, 64)
}

// Versions lists what computed the outcomes, each text once.
func (r *Report) Versions() []string {
	var all []string
	for _, o := range r.Outcomes {
		for name, version := range o.Versions {
			if s := name + " " + version; !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
		if s := "device " + o.Device; o.Device != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	slices.Sort(all)
	return all
}

// Corrected tells whether some difference is shown, so that the page says what it is.
func (r *Report) Corrected() bool {
	return slices.ContainsFunc(r.Comparison.Rows, func(row Row) bool {
		return slices.ContainsFunc(row.Cells, func(c Cell) bool { return c.Difference != nil })
	})
}

// ReferenceName is the variant that the others are compared with.
func (r *Report) ReferenceName() string { return r.Comparison.Rows[r.Comparison.Reference].Name }
