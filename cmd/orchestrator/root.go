package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"orchestrator/cmd/orchestrator/internal/traces"
)

// app is what every command has: the streams and the settings.
type app struct {
	in       io.Reader
	out, err io.Writer
	config   config
	traces   *traces.Traces // nil: nobody asks for them
	// drains: what a signal interrupts is put in order first, which takes the time it takes.
	drains atomic.Bool
}

// endWithin is how long a command that has nothing to put in order may go on after a
// signal: decoding pictures, drawing and compiling do not look for one all the time.
const endWithin = 2 * time.Second

// run executes one command line and returns the process's exit code.
func run(args []string, in io.Reader, out, errOut io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{in: in, out: out, err: errOut}
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		time.AfterFunc(endWithin, a.endNow)
	})
	root := newRoot(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	err := root.ExecuteContext(ctx)
	a.drains.Store(true) // what is left is quick
	a.traces.Close()
	if err == nil {
		return exitOK
	}
	if !errors.Is(err, errJobFailed) { // the table has said it
		printError(errOut, err, a.config.Output == "json")
	}
	return exitCode(err)
}

// endNow ends the process after a signal, unless its command drains or is over.
func (a *app) endNow() {
	if a.drains.Load() {
		return
	}
	printError(a.err, errInterrupted, a.config.Output == "json")
	os.Exit(exitInterrupted)
}

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "orchestrator",
		Short: "Cross-validated fine-tuning sweeps on stock ONNX Runtime",
		Long: `orchestrator fine-tunes pretrained image classifiers: a sweep file says which
data, network and hyper-parameters; every trial is cross-validated.

On one machine:   orchestrator run sweep.yaml
On many:          orchestrator submit sweep.yaml    (Redis and an object store)
                  orchestrator worker               (on each host)
                  orchestrator status --watch; orchestrator results` + "\n" + exitHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if a.config, err = loadConfig(cmd.Flags()); err != nil || !traces.Wanted() {
				return err
			}
			log, err := a.config.logger(a.err, slog.LevelWarn)
			if err == nil {
				a.traces = traces.Start(currentVersion().Version, log)
			}
			return err
		},
	}
	addConfigFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("orchestrator "+strings.TrimPrefix(cmd.CommandPath(), "orchestrator ")+" --help", "%w", err)
	})
	root.AddCommand(
		newRunCommand(a), newPlanCommand(a), newSubmitCommand(a), newWorkerCommand(a),
		newListCommand(a), newStatusCommand(a), newResultsCommand(a), newReportCommand(a), newCompareCommand(a), newLogsCommand(a),
		newPauseCommand(a), newCancelCommand(a), newResumeCommand(a), newRetryCommand(a), newUpdateCommand(a),
		newGCCommand(a), newDeleteCommand(a),
		newDatasetCommand(a), newModelCommand(a), newPredictCommand(a),
		newServeCommand(a), newMonitorCommand(a), newDoctorCommand(a), newVersionCommand(a), newManCommand(a), newSchemaCommand(a), newTrainerProcessCommand(a), newDeviceProcessCommand(a),
	)
	for _, c := range root.Commands() {
		wrapArgs(c)
		if strings.Contains(c.Use, "[SWEEP]") {
			c.ValidArgsFunction = a.completeSweeps
		}
	}
	return root
}

// completeSweeps offers the sweeps of the store to the shell.
func (a *app) completeSweeps(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	var err error
	if a.config, err = loadConfig(cmd.Flags()); err != nil || len(args) > 0 || !a.storeExists() {
		return nil, none
	}
	store, err := a.openStore(cmd.Context())
	if err != nil {
		return nil, none
	}
	sweeps, err := a.newScheduler(store, nil).List(cmd.Context())
	if err != nil {
		return nil, none
	}
	words := []string{"latest"}
	for _, s := range sweeps {
		words = append(words, s.Sweep)
	}
	return words, none
}

// wrapArgs makes cobra's complaints about arguments usage errors.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usagef(cmd.UseLine(), "%w", err)
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// terminal reports whether w is one, and how wide it is.
func terminal(w io.Writer) (width int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil
}
