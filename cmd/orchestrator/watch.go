package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

// display follows a sweep until it ends.
type display interface {
	update(*plan.Results)
	close()
}

// newDisplay shows bars on a terminal and plain lines elsewhere.
func newDisplay(w io.Writer) display {
	if _, ok := terminal(w); ok {
		return newBars(w)
	}
	return &lines{out: w, seen: map[string]string{}}
}

// lines prints one line for each thing that happens: fit for logs.
type lines struct {
	out  io.Writer
	seen map[string]string // by job: what was said last
}

func (l *lines) update(r *plan.Results) {
	done, total := countJobs(r)
	eachFold(r, func(t plan.TrialResult, f plan.FoldResult) {
		text := foldText(r.Metric.Name, f)
		if text == "" || l.seen[f.Job] == text {
			return
		}
		l.seen[f.Job] = text
		fmt.Fprintf(l.out, "[%d/%d] trial %d fold %s: %s\n", done, total, t.Trial, foldName(f), text)
	})
}

func (l *lines) close() {}

// foldText says where a job is; empty while there is nothing to say.
func foldText(metric string, f plan.FoldResult) string {
	switch f.State {
	case plan.Running:
		if f.Progress != nil && f.Progress.Stage != "" {
			return fmt.Sprintf("%s on %s", f.Progress.Stage, f.Progress.Host)
		}
		if f.Progress == nil || f.Progress.Epochs == 0 {
			return "running"
		}
		text := fmt.Sprintf("epoch %d of %d done on %s", f.Progress.Epoch, f.Progress.Epochs, f.Progress.Host)
		if f.Progress.Epoch == 0 {
			text = fmt.Sprintf("training on %s", f.Progress.Host)
		}
		return text
	case plan.Completed:
		text := "completed, " + metricText(f.Metrics, metric)
		if f.Cached {
			text += " (in the store already)"
		}
		return text
	case plan.Failed:
		if f.Failure != nil {
			return "failed: " + f.Failure.Reason
		}
		return "failed"
	case plan.Canceled, plan.Paused, plan.Pruned:
		return string(f.State)
	}
	return ""
}

// foldName is the fold's name, or its number where it has none.
func foldName(f plan.FoldResult) string {
	if f.Name != "" {
		return f.Name
	}
	return fmt.Sprint(f.Fold)
}

func eachFold(r *plan.Results, visit func(plan.TrialResult, plan.FoldResult)) {
	for _, t := range r.Trials {
		for _, f := range t.Folds {
			visit(t, f)
		}
	}
}

// countJobs counts the jobs that are over, and all of them.
func countJobs(r *plan.Results) (done, total int) {
	eachFold(r, func(_ plan.TrialResult, f plan.FoldResult) {
		total++
		switch f.State {
		case plan.Completed, plan.Failed, plan.Canceled, plan.Pruned:
			done++
		}
	})
	return done, total
}

// bars shows the whole sweep and each running job as progress bars.
type bars struct {
	progress *mpb.Progress
	total    *mpb.Bar
	left     atomic.Value // text: how long the sweep takes yet
	jobs     map[string]*jobBar
}

type jobBar struct {
	bar  *mpb.Bar
	last atomic.Pointer[plan.Progress] // the bar is drawn by a goroutine of its own
}

func newBars(w io.Writer) *bars {
	return &bars{
		progress: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh(), mpb.WithWidth(40), mpb.WithRefreshRate(200*time.Millisecond)),
		jobs:     map[string]*jobBar{},
	}
}

func (b *bars) update(r *plan.Results) {
	done, total := countJobs(r)
	if b.total == nil {
		b.left.Store("")
		b.total = b.progress.New(int64(total), mpb.BarStyle(), mpb.BarPriority(-1),
			mpb.PrependDecorators(decor.Name(r.Sweep+" ", decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.CountersNoUnit("%d / %d jobs"), decor.Any(func(decor.Statistics) string { return b.left.Load().(string) })))
	}
	b.left.Store(leftText(r))
	eachFold(r, func(t plan.TrialResult, f plan.FoldResult) {
		if f.State == plan.Running && f.Progress != nil && f.Progress.Steps > 0 {
			b.job(t, f)
		} else if j, ok := b.jobs[f.Job]; ok {
			j.bar.Abort(true)
			delete(b.jobs, f.Job)
		}
	})
	b.total.SetTotal(int64(total), false) // a search adds trials
	if !scheduler.Over(r.State) {
		done = min(done, total-1) // a bar that is full stays so
	}
	b.total.SetCurrent(int64(done))
}

// leftText is how long a sweep takes yet, if that is known.
func leftText(r *plan.Results) string {
	if r.ETA <= 0 {
		return ""
	}
	return fmt.Sprintf("  about %v left", (time.Duration(r.ETA) * time.Second).Round(time.Second))
}

func (b *bars) job(t plan.TrialResult, f plan.FoldResult) {
	j, ok := b.jobs[f.Job]
	if !ok {
		j = &jobBar{}
		j.last.Store(f.Progress)
		j.bar = b.progress.New(int64(f.Progress.Steps), mpb.BarStyle(), mpb.BarRemoveOnComplete(),
			mpb.PrependDecorators(decor.Name(fmt.Sprintf("  trial %d fold %s ", t.Trial, foldName(f)), decor.WCSyncSpaceR)),
			mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return j.text() })))
		b.jobs[f.Job] = j
	}
	j.last.Store(f.Progress)
	j.bar.SetTotal(int64(f.Progress.Steps), false) // it changes when the training begins
	j.bar.SetCurrent(min(int64(f.Progress.Step), int64(f.Progress.Steps)-1))
}

func (j *jobBar) text() string {
	p := j.last.Load()
	if p.Stage != "" {
		return p.Stage
	}
	text := fmt.Sprintf("epoch %d/%d  loss %.4f", p.Epoch, p.Epochs, p.Loss)
	if p.ETA > 0 {
		text += "  " + (time.Duration(p.ETA) * time.Second).String() + " left"
	}
	return text
}

func (b *bars) close() {
	for _, j := range b.jobs {
		j.bar.Abort(true)
	}
	if b.total != nil {
		b.total.Abort(false)
	}
	b.progress.Wait()
}
