package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
)

const (
	// followEvery is how often a log that grows is looked at.
	followEvery = time.Second
	// maxLate is how many looks the end of an attempt is waited for once its job is over.
	maxLate = 20
)

type logsOptions struct {
	trial, fold, attempt int // -1, -1, 0: all, all, the last
	follow               bool
}

func newLogsCommand(a *app) *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use:   "logs [SWEEP]",
		Short: "Print what a job's attempt said",
		Long: `Prints the log of the last attempt at each job of a sweep that has begun; --trial
and --fold choose. SWEEP is an id, the beginning of one, a name, "latest" (the
default), or the id of a job. --follow goes on until the job is over; a worker
stores the log every 15 seconds, and at the end of the attempt.` + "\n" + exitHelp,
		Example: "  orchestrator logs hymenoptera --trial 3 --fold 0\n  orchestrator logs latest --trial 0 --fold 1 --follow",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLogs(cmd.Context(), a, sweepArg(args), o)
		},
	}
	cmd.Flags().IntVar(&o.trial, "trial", -1, "of this trial only")
	cmd.Flags().IntVar(&o.fold, "fold", -1, "of this fold only, counted from 0")
	cmd.Flags().IntVar(&o.attempt, "attempt", 0, "of this attempt, counted from 1 (default: the last)")
	cmd.Flags().BoolVar(&o.follow, "follow", false, "go on until the job is over")
	return cmd
}

func runLogs(ctx context.Context, a *app, word string, o logsOptions) error {
	if o.attempt < 0 {
		return usagef("--attempt 1 is the first", "there is no attempt %d", o.attempt)
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	l := logs{store: store, s: a.newScheduler(store, nil), out: a.out, every: followEvery}
	jobs, err := l.find(ctx, word, o)
	if err != nil {
		return err
	}
	if o.follow {
		if len(jobs) > 1 {
			return usagef("orchestrator logs "+word+" --trial 0 --fold 0 --follow", "one job can be followed at a time, and these are %d", len(jobs))
		}
		return l.follow(ctx, jobs[0], o.attempt)
	}
	return l.print(ctx, a, jobs, o)
}

// logs is the command at work.
type logs struct {
	store artifacts.Store
	s     *scheduler.Scheduler
	out   io.Writer
	every time.Duration // between two looks
}

// loggedJob is a job as the command names it. A fold of a trial that goes by rungs is
// several jobs, one after the other.
type loggedJob struct {
	title string // "" of a job that the user named
	ids   []string
}

// attemptLog is one log, as --output json prints it.
type attemptLog struct {
	plan.Attempt
	Log string `json:"log"`
}

// find lists the jobs that are meant.
func (l logs) find(ctx context.Context, word string, o logsOptions) ([]loggedJob, error) {
	there, err := artifacts.Exists(ctx, l.store, plan.SpecKey(word))
	switch {
	case there:
		return []loggedJob{{ids: []string{word}}}, nil
	case err != nil && !errors.Is(err, artifacts.ErrInvalidKey):
		return nil, err
	}
	id, err := l.s.ResolveNewest(ctx, word)
	if err != nil {
		return nil, err
	}
	p, err := l.s.Plan(ctx, id)
	if err != nil {
		return nil, err
	}
	if o.trial >= len(p.Trials) || o.trial < -1 {
		return nil, usagef(fmt.Sprintf("--trial %d is the last", len(p.Trials)-1), "sweep %s has no trial %d", id, o.trial)
	}
	if o.fold >= len(p.Folds) || o.fold < -1 {
		return nil, usagef(fmt.Sprintf("--fold %d is the last", len(p.Folds)-1), "sweep %s has no fold %d", id, o.fold)
	}
	var jobs []loggedJob
	for _, job := range p.Jobs {
		if o.trial >= 0 && job.Trial != o.trial || o.fold >= 0 && job.Fold != o.fold {
			continue
		}
		rungs, err := p.Ladder(job)
		if err != nil {
			return nil, err
		}
		found := loggedJob{title: fmt.Sprintf("%s trial %d fold %s", id, job.Trial, p.Folds[job.Fold].Name)}
		for _, rung := range rungs {
			found.ids = append(found.ids, rung.ID)
		}
		found.ids = append(found.ids, job.ID)
		jobs = append(jobs, found)
	}
	return jobs, nil
}

// print prints the logs that there are, and refuses where there is none.
func (l logs) print(ctx context.Context, a *app, jobs []loggedJob, o logsOptions) error {
	found := []attemptLog{}
	for _, job := range jobs {
		attempt, err := l.attempt(ctx, job, o.attempt)
		if err != nil {
			return err
		}
		if attempt == nil {
			continue
		}
		text, err := l.text(ctx, *attempt)
		if err != nil {
			return err
		}
		found = append(found, attemptLog{*attempt, text})
		if a.config.Output == "json" {
			continue
		}
		if len(jobs) > 1 {
			fmt.Fprintf(l.out, "==> %s, job %s, attempt %d on %s: %s\n", job.title, attempt.Job, attempt.Number, attempt.Host, endOf(*attempt))
		}
		fmt.Fprint(l.out, text)
	}
	switch {
	case len(found) == 0 && o.attempt > 0:
		return usagef("without --attempt the last one is printed", "there is no attempt %d", o.attempt)
	case len(found) == 0:
		return usagef("`orchestrator status` shows what waits; --follow waits for the first attempt", "nothing has begun, so there is no log yet")
	case a.config.Output == "json":
		return printJSON(l.out, found)
	}
	return nil
}

func endOf(a plan.Attempt) string {
	if a.End == "" {
		return "no end"
	}
	return a.End
}

// attempt is the one of that number, or the last one at all if that is 0; nil if
// there is none.
func (l logs) attempt(ctx context.Context, job loggedJob, number int) (*plan.Attempt, error) {
	for i := len(job.ids) - 1; i >= 0; i-- {
		last := ""
		for info, err := range l.store.List(ctx, plan.AttemptPrefix(job.ids[i])) {
			if err != nil {
				return nil, err
			}
			if strings.HasSuffix(info.Key, ".json") && (number == 0 || info.Key == plan.AttemptKey(job.ids[i], number)) {
				last = info.Key
			}
		}
		if last != "" {
			a := new(plan.Attempt)
			return a, artifacts.GetJSON(ctx, l.store, last, a)
		}
	}
	return nil, nil
}

// text is the log of an attempt; "" where none is stored yet.
func (l logs) text(ctx context.Context, a plan.Attempt) (string, error) {
	r, _, err := l.store.Get(ctx, plan.AttemptLogKey(a.Job, a.Number))
	if errors.Is(err, artifacts.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("read the log of attempt %d at job %s: %w", a.Number, a.Job, err)
	}
	return string(text), nil
}

// follow prints what is new until the attempt, or the job if it is not said which,
// is over.
func (l logs) follow(ctx context.Context, job loggedJob, number int) error {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	f := following{logs: l, job: job, number: number}
	for {
		if over, err := f.look(ctx); over || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// following is what a follow has seen.
type following struct {
	logs
	job     loggedJob
	number  int // of the attempt; 0: whichever is the last
	shown   plan.Attempt
	printed string
	late    int // looks at an attempt that was not over while its job was
}

// look prints what is new, and tells whether nothing more will come.
func (f *following) look(ctx context.Context) (over bool, err error) {
	if over, err = f.over(ctx, f.job); err != nil {
		return false, err
	}
	attempt, err := f.attempt(ctx, f.job, f.number)
	if attempt == nil || err != nil {
		return over, err
	}
	if attempt.Job != f.shown.Job || attempt.Number != f.shown.Number {
		fmt.Fprintf(f.out, "==> attempt %d at job %s on %s\n", attempt.Number, attempt.Job, attempt.Host)
		f.printed = ""
	}
	text, err := f.text(ctx, *attempt)
	if err != nil {
		return false, err
	}
	fmt.Fprint(f.out, added(f.printed, text))
	f.shown, f.printed = *attempt, text
	switch attempt.End {
	case "": // its worker has recorded the outcome and not yet the log, or died meanwhile
		if over {
			f.late++
		}
		return f.late > maxLate, nil
	case string(plan.Canceled), string(plan.Paused):
		return true, nil
	}
	return over || f.number > 0, nil
}

// over tells whether nothing more will come of a job by itself. It is asked before
// its log is read.
func (l logs) over(ctx context.Context, job loggedJob) (bool, error) {
	last := job.ids[len(job.ids)-1]
	done, err := artifacts.Exists(ctx, l.store, plan.OutcomeKey(last))
	if done || err != nil {
		return done, err
	}
	for _, id := range job.ids {
		if failed, err := artifacts.Exists(ctx, l.store, plan.FailureKey(id)); failed || err != nil {
			return failed, err
		}
	}
	return false, nil
}

// added is what a log says beyond what it said before, whose beginning it may have
// dropped since.
func added(before, now string) string {
	if rest, ok := strings.CutPrefix(now, before); ok {
		return rest
	}
	lines := strings.SplitAfter(strings.TrimSuffix(before, "\n"), "\n")
	last := lines[len(lines)-1] + "\n"
	if i := strings.LastIndex(now, last); i >= 0 {
		return now[i+len(last):]
	}
	return now
}
