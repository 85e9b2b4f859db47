package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"orchestrator/artifacts"
	"orchestrator/scheduler/gc"
	"orchestrator/scheduler/plan"
	"orchestrator/trainer/cachefile"
)

type gcOptions struct {
	yes, dryRun, list, cache bool
	olderThan                string
}

func (o *gcOptions) addFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVar(&o.yes, "yes", false, "remove without asking")
	f.BoolVar(&o.dryRun, "dry-run", false, "only say what would be removed")
	f.BoolVar(&o.list, "list", false, "name every object")
	cmd.MarkFlagsMutuallyExclusive("yes", "dry-run")
}

func newGCCommand(a *app) *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "gc [SWEEP]...",
		Short: "Remove what nobody needs from the store, or this machine's cache",
		Long: `Says what nobody needs in the store and how large it is, and removes it with --yes
or when you say so: checkpoints beyond what their sweeps keep, what killed attempts
have left, features that no sweep needs that is not completed, and data sets, base
models and jobs that no sweep refers to. With sweeps named it looks at their jobs only.

Never removed are outcomes, networks and predictions of sweeps, what a sweep needs that
can still go on, and what is younger than --older-than, as a submission or an attempt
may be about to refer to it. It is safe to run beside workers and submissions, to kill,
and to run twice. Whole sweeps are removed by delete.

With --cache it is about the cache folder of this machine instead: all of it goes that no
running job holds, and comes again when a job needs it.` + "\n" + exitHelp,
		Example: "  orchestrator gc\n  orchestrator gc --cache\n  orchestrator gc --yes --older-than 7d\n  orchestrator gc hymenoptera --list",
		Args:    cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.cache {
				return runCacheGC(a, o, args)
			}
			return runGC(cmd.Context(), a, o, args)
		},
	}
	o.addFlags(cmd)
	cmd.Flags().BoolVar(&o.cache, "cache", false, "empty this machine's cache instead")
	cmd.Flags().StringVar(&o.olderThan, "older-than", "24h", "age of what no sweep refers to; less than an hour only where nobody else uses the store")
	return cmd
}

func newDeleteCommand(a *app) *cobra.Command {
	var o gcOptions
	cmd := &cobra.Command{
		Use:   "delete SWEEP...",
		Short: "Remove whole sweeps from the store",
		Long: `Removes sweeps with all their results, and what no other sweep needs of what they
used: jobs, networks, checkpoints, features, base models, data sets. Says first what
that is. Jobs that other sweeps share, and networks that they start from, stay. A sweep
that is not over has to be canceled first.` + "\n" + exitHelp,
		Example: "  orchestrator delete hymenoptera-1a2b3c\n  orchestrator delete hymenoptera-1a2b3c --yes",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDelete(cmd.Context(), a, o, args)
		},
	}
	o.addFlags(cmd)
	return cmd
}

func runGC(ctx context.Context, a *app, o gcOptions, sweeps []string) error {
	age, ok := plan.ParseSeconds(o.olderThan)
	if !ok && o.olderThan != "0" {
		return usagef("--older-than 7d", "%q is not a time", o.olderThan)
	}
	store, ids, err := a.sweepsOf(ctx, sweeps)
	if err != nil {
		return err
	}
	c := &gc.Collector{Store: store, OlderThan: time.Duration(age) * time.Second}
	return a.collect(ctx, c, gc.Scope{Of: ids}, o)
}

func runDelete(ctx context.Context, a *app, o gcOptions, sweeps []string) error {
	store, ids, err := a.sweepsOf(ctx, sweeps)
	if err != nil {
		return err
	}
	return a.collect(ctx, &gc.Collector{Store: store}, gc.Scope{Delete: ids}, o)
}

// checkDeleted is an error where one of the sweeps is still there.
func checkDeleted(ctx context.Context, store artifacts.Store, sweeps []string) error {
	for _, id := range sweeps {
		there, err := artifacts.Exists(ctx, store, plan.PlanKey(id))
		if err != nil {
			return err
		}
		if there {
			return &writtenAgainError{id}
		}
	}
	return nil
}

// writtenAgainError is of a sweep that was submitted while it was deleted.
type writtenAgainError struct{ sweep string }

func (e *writtenAgainError) Error() string {
	return "sweep " + e.sweep + " was written again meanwhile: it is not deleted"
}

func (e *writtenAgainError) Hint() string { return "orchestrator delete " + e.sweep }

func (a *app) sweepsOf(ctx context.Context, words []string) (store artifacts.Store, ids []string, err error) {
	if store, err = a.openStore(ctx); err != nil {
		return nil, nil, err
	}
	s := a.newScheduler(store, nil)
	for _, word := range words {
		id, err := s.Resolve(ctx, word)
		if err != nil {
			return nil, nil, err
		}
		ids = append(ids, id)
	}
	return store, ids, nil
}

// wasteReport is what gc and delete print.
type wasteReport struct {
	Removed bool         `json:"removed"` // else it would be
	Kinds   []wasteKind  `json:"kinds"`
	Objects int          `json:"objects"`
	Bytes   int64        `json:"bytes"`
	Notes   []string     `json:"notes,omitempty"`
	Listed  []wasteEntry `json:"listed,omitempty"`
}

type wasteKind struct {
	Kind    string `json:"kind"`
	Objects int    `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

type wasteEntry struct {
	Kind  string `json:"kind"`
	Key   string `json:"key"`
	Bytes int64  `json:"bytes"`
}

func (a *app) collect(ctx context.Context, c *gc.Collector, scope gc.Scope, o gcOptions) error {
	waste, err := c.Find(ctx, scope)
	if err != nil {
		return err
	}
	report := reportOf(waste, o.list)
	return a.removeWaste(report, o, func() (wasteReport, error) {
		a.drains.Store(true) // it says in the store that it is over
		done, err := c.Remove(ctx, waste)
		if err != nil {
			return report, fmt.Errorf("%d objects were removed, then: %w", sum(done.Objects), err)
		}
		return removedReport(report, done), checkDeleted(ctx, c.Store, scope.Delete)
	})
}

// removeWaste says what there is, asks, and removes it.
func (a *app) removeWaste(report wasteReport, o gcOptions, remove func() (wasteReport, error)) error {
	asJSON := a.config.Output == "json"
	if !asJSON {
		if err := a.printWaste(report); err != nil {
			return err
		}
	}
	if report.Objects == 0 || o.dryRun || !o.yes && (asJSON || !a.confirm()) {
		if asJSON {
			return printJSON(a.out, report)
		}
		if report.Objects > 0 {
			fmt.Fprintln(a.out, "Nothing was removed. With --yes it is.")
		}
		return nil
	}
	found := report.Objects
	report, err := remove()
	switch {
	case err != nil:
		return err
	case asJSON:
		return printJSON(a.out, report)
	}
	if left := found - report.Objects; left > 0 {
		fmt.Fprintf(a.err, "Note: %s stayed, as somebody wrote them, uses them or removed them meanwhile.\n", counted(left, "object"))
	}
	_, err = fmt.Fprintf(a.out, "Removed %d objects, %s.\n", report.Objects, bytesText(report.Bytes))
	return err
}

// runCacheGC empties the cache folder of what no process holds.
func runCacheGC(a *app, o gcOptions, sweeps []string) error {
	if len(sweeps) > 0 {
		return usagef("orchestrator gc --cache", "the cache is not divided into sweeps")
	}
	before, err := cacheReport(a.config.CacheDir, o.list)
	if err != nil {
		return err
	}
	return a.removeWaste(before, o, func() (wasteReport, error) {
		if _, err := cachefile.Trim(a.config.CacheDir, 0); err != nil {
			return before, err
		}
		after, err := cacheReport(a.config.CacheDir, false)
		for i, k := range before.Kinds {
			for _, left := range after.Kinds {
				if left.Kind == k.Kind {
					before.Kinds[i].Objects, before.Kinds[i].Bytes = k.Objects-left.Objects, k.Bytes-left.Bytes
				}
			}
		}
		before.Removed, before.Objects, before.Bytes = true, before.Objects-after.Objects, before.Bytes-after.Bytes
		return before, err
	})
}

func cacheReport(dir string, list bool) (wasteReport, error) {
	r := wasteReport{Kinds: []wasteKind{}}
	all, err := cachefile.List(dir)
	if err != nil {
		return r, err
	}
	slices.SortStableFunc(all, func(a, b cachefile.Entry) int { return strings.Compare(a.Kind, b.Kind) })
	for _, e := range all {
		if n := len(r.Kinds); n == 0 || r.Kinds[n-1].Kind != e.Kind {
			r.Kinds = append(r.Kinds, wasteKind{Kind: e.Kind})
		}
		k := &r.Kinds[len(r.Kinds)-1]
		k.Objects, k.Bytes = k.Objects+1, k.Bytes+e.Size
		r.Objects, r.Bytes = r.Objects+1, r.Bytes+e.Size
		if list {
			r.Listed = append(r.Listed, wasteEntry{e.Kind, e.Path, e.Size})
		}
	}
	return r, nil
}

func reportOf(w *gc.Waste, list bool) wasteReport {
	r := wasteReport{Notes: w.Notes, Kinds: []wasteKind{}}
	for _, kind := range gc.Kinds() {
		if n, size := w.Size(kind); n > 0 {
			r.Kinds = append(r.Kinds, wasteKind{kind, n, size})
		}
	}
	r.Objects, r.Bytes = w.Size("")
	for _, item := range w.Items {
		for _, object := range item.Objects {
			if list {
				r.Listed = append(r.Listed, wasteEntry{item.Kind, object.Key, object.Size})
			}
		}
	}
	return r
}

// removedReport counts what was removed in the end.
func removedReport(r wasteReport, done *gc.Removed) wasteReport {
	r.Removed, r.Objects, r.Bytes = true, sum(done.Objects), sum(done.Bytes)
	for i, k := range r.Kinds {
		r.Kinds[i].Objects, r.Kinds[i].Bytes = done.Objects[k.Kind], done.Bytes[k.Kind]
	}
	return r
}

func sum[T int | int64](m map[string]T) (total T) {
	for _, n := range m {
		total += n
	}
	return total
}

func (a *app) printWaste(r wasteReport) error {
	for _, note := range r.Notes {
		fmt.Fprintf(a.err, "Note: %s.\n", note)
	}
	if r.Objects == 0 {
		_, err := fmt.Fprintln(a.out, "There is nothing to remove.")
		return err
	}
	t := tabwriter.NewWriter(a.out, 0, 4, 2, ' ', 0)
	for _, e := range r.Listed {
		fmt.Fprintf(t, "%s\t%s\t%s\n", e.Kind, e.Key, bytesText(e.Bytes))
	}
	fmt.Fprintf(t, "KIND\tOBJECTS\tSIZE\n")
	for _, k := range r.Kinds {
		fmt.Fprintf(t, "%s\t%d\t%s\n", k.Kind, k.Objects, bytesText(k.Bytes))
	}
	fmt.Fprintf(t, "total\t%d\t%s\n", r.Objects, bytesText(r.Bytes))
	return t.Flush()
}

// confirm asks whoever sits at the terminal; nobody there is a no.
func (a *app) confirm() bool {
	in, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return false
	}
	fmt.Fprint(a.err, "Remove this? [y/N] ")
	answer, _ := bufio.NewReader(in).ReadString('\n')
	answer = strings.ToLower(strings.TrimSpace(answer))
	return answer == "y" || answer == "yes"
}
