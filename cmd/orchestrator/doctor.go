package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"orchestrator/artifacts"
	"orchestrator/scheduler/queue"
)

func newDoctorCommand(a *app) *cobra.Command {
	var tried string
	var train bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check Redis, store, ONNX Runtime library, devices, cache and disk",
		Long: `Tries every part that the settings name and says what to do about those that do
not work. Exits 1 when one fails. Redis is only checked when one is set, as run
brings its own.

With --providers it tries instead what the ONNX Runtime library can compute on, each
in a process of its own, and prints a table. --train trains a small network on each
that opens, and compares its losses and the time of a step with the CPU's. Exits 1
when a provider fails that was asked for by name.` + "\n" + exitHelp,
		Example: "  orchestrator doctor\n  orchestrator doctor --redis 127.0.0.1:6379 --output json\n  orchestrator doctor --providers --train\n  orchestrator doctor --providers=cuda,cpu",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if tried == "" && train {
				return usagef("orchestrator doctor --providers --train", "--train goes with --providers")
			}
			if tried == "" {
				return runDoctor(cmd.Context(), a)
			}
			names, err := providerNames(tried)
			if err != nil {
				return err
			}
			return runProviders(cmd.Context(), a, names, train)
		},
	}
	cmd.Flags().StringVar(&tried, "providers", "", "try what the library can compute on: all of it, or as in --providers=cuda,cpu")
	cmd.Flags().Lookup("providers").NoOptDefVal = allProviders
	cmd.Flags().BoolVar(&train, "train", false, "with --providers: train a small network on each, and compare it with the CPU's")
	addFlags(cmd.Flags(), deviceFlags)
	return cmd
}

// finding is one line of the doctor's report.
type finding struct {
	Part   string `json:"part"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	// Devices are those for CUDA, of the part that is about them.
	Devices []foundDevice `json:"devices,omitempty"`
	Notes   []string      `json:"notes,omitempty"`
}

// with is the finding where the check came to an error; nil: it is well.
func (f finding) with(err error) finding {
	if f.OK = err == nil; f.OK {
		return f
	}
	f.Detail = err.Error()
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		f.Hint = hinted.Hint()
	}
	return f
}

// minFree is how much room the doctor wants on the disks it writes to.
const minFree = 1 << 30

func runDoctor(ctx context.Context, a *app) error {
	checks := []struct {
		part  string
		check func(context.Context) finding
	}{
		{"library", plain(a.checkLibrary)},
		{"devices", a.checkDevices},
		{"store", plain(a.checkStore)},
		{"redis", plain(a.checkRedis)},
		{"queues", plain(a.checkQueues)},
		{"cache", plain(a.checkCache)},
		{"machine", func(context.Context) finding {
			return finding{OK: true, Detail: fmt.Sprintf("%d processors, %s/%s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)}
		}},
	}
	failed := 0
	var findings []finding
	for _, c := range checks {
		f := c.check(ctx)
		f.Part = c.part
		if !f.OK {
			failed++
		}
		findings = append(findings, f)
	}
	if err := printFindings(a, findings); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d checks failed", failed, len(checks))
	}
	return nil
}

// plain makes a finding of a check that has one thing to say.
func plain(check func(context.Context) (string, error)) func(context.Context) finding {
	return func(ctx context.Context) finding {
		detail, err := check(ctx)
		return finding{Detail: detail}.with(err)
	}
}

func printFindings(a *app, findings []finding) error {
	if a.config.Output == "json" {
		return printJSON(a.out, findings)
	}
	for _, f := range findings {
		mark := "ok  "
		if !f.OK {
			mark = "FAIL"
		}
		fmt.Fprintf(a.out, "%s  %-8s %s\n", mark, f.Part, f.Detail)
		if f.Hint != "" {
			fmt.Fprintf(a.out, "                try: %s\n", f.Hint)
		}
		for _, d := range f.Devices {
			fmt.Fprintf(a.out, "                %v\n", d)
		}
		for _, note := range f.Notes {
			fmt.Fprintf(a.out, "                %s\n", note)
		}
	}
	return nil
}

func (a *app) checkLibrary(context.Context) (string, error) {
	rt, err := a.openRuntime()
	if err != nil {
		return "", err
	}
	defer rt.Close()
	return fmt.Sprintf("ONNX Runtime %s, providers %s, %s", rt.Version(), strings.Join(rt.Providers(), " "), rt.Library()), nil
}

func (a *app) checkStore(ctx context.Context) (string, error) {
	store, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	if err := artifacts.Check(ctx, store); err != nil {
		return "", err
	}
	return store.String() + ": wrote, read, refused a second create, deleted", nil
}

func (a *app) checkRedis(ctx context.Context) (string, error) {
	if a.config.Redis == "" {
		return "none set: run brings its own; submit and worker need --redis", nil
	}
	o, err := a.redisOptions()
	if err != nil {
		return "", err
	}
	q, err := queue.Open(ctx, o)
	if err != nil {
		return "", err
	}
	defer q.Close()
	info, err := q.Info(ctx)
	if err != nil {
		return "", err
	}
	detail := fmt.Sprintf("%s: Redis %s", o, info.Version)
	if info.Masters > 1 {
		detail += fmt.Sprintf(", %d masters", info.Masters)
	}
	if info.Eviction != "" && info.Eviction != "noeviction" {
		detail += "; maxmemory-policy is " + info.Eviction + ", noeviction is safer"
	}
	return detail, nil
}

// checkQueues finds queues that work on one store: each trains what the others train.
func (a *app) checkQueues(ctx context.Context) (string, error) {
	store, err := a.openStore(ctx)
	if err != nil {
		return "", err
	}
	all, err := a.newScheduler(store, nil).OtherQueues(ctx, "")
	if err != nil {
		return "", err
	}
	var names []string
	for _, m := range all {
		if !m.Waits {
			names = append(names, fmt.Sprintf("%s (process %d on %s)", m.Name, m.PID, m.Host))
		}
	}
	switch len(names) {
	case 0:
		return "none works on the store now", nil
	case 1:
		return names[0] + " works on the store", nil
	}
	return "", usagef("give all workers the same --redis, or each queue a store of its own",
		"%d queues work on the store, and train everything as many times: %s", len(names), strings.Join(names, ", "))
}

func (a *app) checkCache(context.Context) (string, error) {
	dir := a.config.CacheDir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the cache folder: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return "", fmt.Errorf("writing to the cache folder: %w", err)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return "", err
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return "", fmt.Errorf("asking for the free space of %s: %w", dir, err)
	}
	free := uint64(stat.Bavail) * uint64(stat.Bsize) //nolint:unconvert // the types differ between systems
	if free < minFree {
		return "", fmt.Errorf("%s has only %.1f GB free", dir, float64(free)/1e9)
	}
	return fmt.Sprintf("%s, %.1f GB free", dir, float64(free)/1e9), nil
}
