package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orchestrator/artifacts"
	"orchestrator/scheduler"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/worker"
)

type runOptions struct {
	set   []string
	slots int
}

func newRunCommand(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run SWEEP.yaml",
		Short: "Run a sweep on this machine, with nothing else installed",
		Long: `Does what submit and worker do, in one process tree with a queue of its own, and
prints the results. Ctrl-C checkpoints; the same command goes on from there. What
is in the store already is not trained again, and other sweeps of the store are left
alone. While another run works on the store it waits, and says so; where workers with
a Redis do, it is refused.

It trains on the CUDA devices that there are, where the ONNX Runtime library can use
them, one job at a time on each; else on the processors. --devices names others. A
sweep with resources.device: cuda is never trained on processors.` + "\n" + exitHelp,
		Example: "  orchestrator run examples/quickstart.yaml\n  orchestrator run sweep.yaml --set training.epochs=2 --output json\n  orchestrator run sweep.yaml --devices cuda:0",
		Args:    cobra.ExactArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runRun(cmd.Context(), a, args[0], o) },
	}
	addSetFlag(cmd, &o.set)
	cmd.Flags().IntVar(&o.slots, "slots", 0, "jobs at a time on the processors (default: processors / training.threads)")
	addFlags(cmd.Flags(), deviceFlags)
	return cmd
}

func runRun(ctx context.Context, a *app, file string, o runOptions) error {
	if o.slots < 0 {
		return usagef("--slots 1", "%d slots cannot run anything", o.slots)
	}
	rt, err := a.openRuntime() // before a minute is spent on decoding pictures
	if err != nil {
		return err
	}
	rt.Close()
	here, err := a.findDevices(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := a.prepare(ctx, file, o.set)
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	if o.slots == 0 {
		o.slots = defaultSlots(p.plan.Trials[0].Config.Training.Threads)
	}
	log, err := a.config.logger(a.err, slog.LevelWarn) // the display says the rest
	if err != nil {
		return err
	}
	slots, err := a.slots(ctx, here, p.plan.Resources.Device, o.slots, log)
	if err != nil {
		return err
	}
	if err := suits(p.plan.Resources, slots, a.config.Devices); err != nil {
		return err
	}
	notifier, err := a.newNotifier(store, a.newScheduler(store, nil), nil)
	if err != nil {
		return err
	}
	r, err := a.runEmbedded(ctx, store, p, slots, log, began)
	if err != nil {
		return err
	}
	a.notifyNow(ctx, notifier)
	if err := a.printResults(r); err != nil {
		return err
	}
	err = sweepError(r, "the same run")
	if errors.Is(err, errJobFailed) {
		fmt.Fprintf(a.err, "To try the failed jobs again: orchestrator retry --failed %s, then the same run.\n", r.Sweep)
	}
	return err
}

// runEmbedded brings a sweep to its end with a queue inside this process. When
// ctx ends it drains first.
func (a *app) runEmbedded(ctx context.Context, store artifacts.Store, p *prepared, slots []worker.Slot, log *slog.Logger, began time.Time) (*plan.Results, error) {
	marks := a.newScheduler(store, nil)
	marks.Log = log
	mark, release, err := a.awaitTurn(ctx, marks, p.plan.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	server, err := queue.Embedded()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	q, err := queue.Open(ctx, server.Options())
	if err != nil {
		return nil, err
	}
	defer q.Close()
	unpublish, err := a.publishEmbedded(server.Options())
	if err != nil {
		return nil, err
	}
	defer unpublish()

	s := a.newScheduler(store, q)
	if _, err := a.submit(ctx, s, p, began); err != nil {
		return nil, err
	}
	if _, err := s.Resume(ctx, p.plan.ID); err != nil { // run again after a cancel means go on
		return nil, err
	}
	var labels []string // this machine has what the sweep asks for, as it is the only one
	if label := p.plan.Resources.Label; label != "" {
		labels = append(labels, label)
	}
	return a.follow(ctx, s, p.plan.ID, func(ctx context.Context) error {
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error { return untilDone(s.ReconcileLoop(ctx, reconcileEvery, p.plan.ID)) })
		group.Go(func() error { return untilDone(marks.KeepQueueMark(ctx, mark)) })
		group.Go(func() error { return a.serve(ctx, s, q, store, workerOptions{slots: slots, labels: labels}, log) })
		return group.Wait()
	})
}

// follow shows a sweep until it is over, while work runs beside it.
func (a *app) follow(ctx context.Context, s *scheduler.Scheduler, sweep string, work func(context.Context) error) (*plan.Results, error) {
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return work(ctx) })
	d := newDisplay(a.progressOut())
	var results *plan.Results
	group.Go(func() error {
		defer finish()
		defer d.close()
		var err error
		results, err = s.Wait(ctx, sweep, d.update)
		return err
	})
	err := group.Wait()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(a.err, "Interrupted; what was done is kept. The same command goes on from here.\n")
		return nil, errInterrupted
	}
	return results, err
}

// progressOut is where progress goes: to standard error where standard output
// is for a program.
func (a *app) progressOut() *os.File {
	if f, ok := a.err.(*os.File); ok {
		return f
	}
	return os.Stderr
}
