package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/artifacts/report"
	"orchestrator/artifacts/report/analysis"
	"orchestrator/artifacts/report/page"
	"orchestrator/scheduler/plan"
)

// reportOptions are the flags of `report`.
type reportOptions struct {
	file     string
	format   string
	figures  string
	trial    int
	baseline int
	pictures int
	look     lookOptions
}

func newReportCommand(a *app) *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report [SWEEP]...",
		Short: "Write a sweep's report: tables, figures, pictures, settings",
		Long: `Writes one HTML file that needs nothing else: the table of variants with differences
and their confidence intervals, tests, the importance of parameters, every trial fold
by fold, why trials were stopped, what it took; and for one trial (the best, or that of
--trial) learning curves, confusion, scores by class, ROC, precision and recall,
calibration, the most confident right and wrong pictures. Several sweeps come one
after the other.

A searched evaluation.oversample or probe.classifier becomes columns; the rows are
the other parameters. Differences are to the first row, or to that of --baseline.

--format markdown and latex write the tables; csv every metric of every fold in a row
of its own, and every epoch's in SWEEP.history.csv. --figures also writes every figure
as SVG and PNG.

--embed and --unit look into the trial's network of the first fold: a layer's answers
to the fold's test pictures laid out in the plane by t-SNE, and the patches of those
pictures that drive a unit most.` + "\n" + exitHelp,
		Example: "  orchestrator report\n  orchestrator report ablation addition --baseline 0 --figures figures\n" +
			"  orchestrator report ablation --format latex --file table.tex\n  orchestrator report finetune --embed relu7 --unit relu5:12",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"latest"}
			}
			return runReport(cmd.Context(), a, o, args)
		},
		ValidArgsFunction: a.completeSweeps,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.file, "file", "", "where to write the report (default: SWEEP.html, .md, .tex or .csv)")
	flags.StringVar(&o.format, "format", "html", "html, markdown, latex or csv")
	flags.StringVar(&o.figures, "figures", "", "a folder to write the figures to as well, as SVG and PNG")
	flags.IntVar(&o.trial, "trial", -1, "the trial that is shown in detail (default: the best)")
	flags.IntVar(&o.baseline, "baseline", -1, "the trial that the others are compared with (default: that of the first row)")
	flags.IntVar(&o.pictures, "pictures", 5, "most confident pictures of each class, right and wrong; 0: none")
	flags.StringVar(&o.look.embed, "embed", "", "a layer whose answers are laid out in the plane")
	flags.StringArrayVar(&o.look.units, "unit", nil, "a unit as LAYER:NUMBER whose strongest patches are shown; may be repeated")
	return cmd
}

func runReport(ctx context.Context, a *app, o reportOptions, sweeps []string) error {
	suffix, known := map[string]string{"html": ".html", "markdown": ".md", "latex": ".tex", "csv": ".csv"}[o.format]
	if !known {
		return usagef("html, markdown, latex or csv", "--format %q is not known", o.format)
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	var reports []*page.Report
	for _, sweep := range sweeps {
		r, err := a.buildReport(ctx, store, o, sweep)
		if err != nil {
			return err
		}
		reports = append(reports, r)
	}
	if o.file == "" {
		o.file = reports[0].Results.Sweep + suffix
	}
	if err := writeWhole(o.file, func(w io.Writer) error {
		switch o.format {
		case "markdown":
			return page.Markdown(w, reports, filepath.ToSlash(o.figures))
		case "latex":
			return page.LaTeX(w, reports, report.EscapeLaTeX)
		case "csv":
			return report.LongCSV(w, resultsOf(reports))
		}
		return page.HTML(w, reports)
	}); err != nil {
		return err
	}
	files, err := writeFigures(o.figures, reports)
	if err != nil {
		return err
	}
	figures := files
	if o.format == "csv" {
		history := strings.TrimSuffix(o.file, ".csv") + ".history.csv"
		if err := writeWhole(history, func(w io.Writer) error { return report.HistoryCSV(w, resultsOf(reports)) }); err != nil {
			return err
		}
		files = append([]string{history}, files...)
	}
	if a.config.Output == "json" {
		return printJSON(a.out, map[string]any{"file": o.file, "figures": figures, "files": append([]string{o.file}, files...)})
	}
	fmt.Fprintln(a.out, o.file)
	for _, f := range files {
		fmt.Fprintln(a.out, f)
	}
	return nil
}

func resultsOf(reports []*page.Report) []*plan.Results {
	var all []*plan.Results
	for _, r := range reports {
		all = append(all, r.Results)
	}
	return all
}

// buildReport reads what a report of one sweep is made of.
func (a *app) buildReport(ctx context.Context, store artifacts.Store, o reportOptions, sweep string) (*page.Report, error) {
	results, err := a.loadResults(ctx, store, sweep)
	if err != nil {
		return nil, err
	}
	s := &page.Study{Results: results, Plan: &plan.Plan{}, Outcomes: map[string]*plan.Outcome{}, Trial: o.trial, Baseline: o.baseline, Pictures: o.pictures}
	if err := artifacts.GetJSON(ctx, store, plan.PlanKey(results.Sweep), s.Plan); err != nil {
		return nil, err
	}
	if o.trial >= len(results.Trials) {
		return nil, usagef(fmt.Sprintf("trials are numbered 0 to %d", len(results.Trials)-1), "sweep %s has no trial %d", results.Sweep, o.trial)
	}
	if o.baseline >= len(results.Trials) {
		return nil, usagef(fmt.Sprintf("trials are numbered 0 to %d", len(results.Trials)-1), "--baseline %d: sweep %s has no such trial", o.baseline, results.Sweep)
	}
	if s.Trial < 0 && results.Best != nil {
		s.Trial = results.Best.Trial
	}
	if s.Trial >= 0 {
		if err := readShown(ctx, store, s); err != nil {
			return nil, err
		}
	}
	if len(s.Answers) > 0 && (o.pictures > 0 || o.look.wanted()) {
		pictures, err := a.openPictures(ctx, store, s.Plan.Data.Pack)
		if err != nil {
			return nil, err
		}
		defer pictures.close()
		s.Thumbnail = pictures.thumbnail
		if o.look.wanted() {
			if err := a.look(ctx, store, o.look, s, pictures); err != nil {
				return nil, err
			}
		}
	}
	return page.New(s)
}

// readShown reads the outcomes and the answers of the trial that is shown.
func readShown(ctx context.Context, store artifacts.Store, s *page.Study) error {
	for _, f := range s.Results.Trials[s.Trial].Folds {
		if f.State != plan.Completed {
			continue
		}
		o := &plan.Outcome{}
		if err := artifacts.GetJSON(ctx, store, plan.OutcomeKey(f.Job), o); err != nil {
			return err
		}
		s.Outcomes[f.Job] = o
		data, err := readObject(ctx, store, plan.PredictionsKey(f.Job))
		if err != nil {
			return err
		}
		answers, err := analysis.ReadAnswers(bytes.NewReader(data), s.Plan.Data.Classes, f.Fold)
		if err != nil {
			return fmt.Errorf("predictions of job %s: %w", f.Job, err)
		}
		s.Answers = append(s.Answers, answers...)
	}
	return nil
}

// writeWhole writes a file beside its place and renames it.
func writeWhole(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := write(tmp); err != nil {
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}

// writeFigures writes every figure twice and returns the files.
func writeFigures(folder string, reports []*page.Report) ([]string, error) {
	if folder == "" {
		return nil, nil
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("writing figures: %w", err)
	}
	var files []string
	for _, r := range reports {
		for _, f := range r.Figures {
			for suffix, data := range map[string][]byte{".svg": f.SVG, ".png": f.PNG} {
				path := filepath.Join(folder, strings.ReplaceAll(r.Results.Sweep+"-"+f.Name, string(filepath.Separator), "-")+suffix)
				if err := writeWhole(path, func(w io.Writer) error { _, err := w.Write(data); return err }); err != nil {
					return nil, err
				}
				if suffix == ".svg" {
					files = append(files, path)
				}
			}
		}
	}
	return files, nil
}
