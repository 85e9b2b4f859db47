// Command orchestration measures what the orchestration of trainings costs, beside what
// it is to cost at most: make bench-orchestration. Ratios are of two measurements of one
// run; on a machine that does other things too the rest means little.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"orchestrator/scheduler/plan"
)

// row is one line of the table.
type row struct {
	what, target string
	value        float64
	unit         string
	met          bool
}

func main() {
	binary := flag.String("binary", "bin/orchestrator", "the program to measure")
	epochs := flag.Int("epochs", 6000, "epochs of the trainings whose overhead is measured")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var rows []row
	var failed error
	for _, measure := range []func(context.Context) ([]row, error){
		dispatch, pickup, proposals, planning, cold,
		func(ctx context.Context) ([]row, error) { return trainings(ctx, *binary, *epochs) },
	} {
		more, err := measure(ctx)
		rows, failed = append(rows, more...), errors.Join(failed, err)
	}
	show(rows)
	if failed != nil {
		fmt.Fprintln(os.Stderr, failed)
		os.Exit(1)
	}
}

func show(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 2, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tmeasured\ttarget\t")
	for _, r := range rows {
		verdict := "missed"
		if r.met {
			verdict = "met"
		}
		fmt.Fprintf(w, "%s\t%.4g %s\t%s\t%s\n", r.what, r.value, r.unit, r.target, verdict)
	}
	_ = w.Flush()
}

var line = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)

// bench runs Go benchmarks and returns their metrics, by name and unit.
func bench(ctx context.Context, pkg, pattern, times string) (map[string]map[string]float64, error) {
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", times, "-timeout", "30m", pkg)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("benchmark %s of %s: %w\n%s", pattern, pkg, err, out)
	}
	all := map[string]map[string]float64{}
	for _, match := range line.FindAllStringSubmatch(string(out), -1) {
		metrics, fields := map[string]float64{}, strings.Fields(match[2])
		for i := 0; i+1 < len(fields); i += 2 {
			if metrics[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				return nil, fmt.Errorf("benchmark %s says %q: %w", match[1], match[2], err)
			}
		}
		all[match[1]] = metrics
	}
	return all, nil
}

func dispatch(ctx context.Context) ([]row, error) {
	all, err := bench(ctx, "./scheduler/queue", "^BenchmarkProcess$", "5000x")
	ratio := 100 * all["Process/ours"]["jobs/s"] / all["Process/asynq"]["jobs/s"]
	return []row{{"dispatch of jobs that do nothing, of asynq's rate", ">= 90 %", ratio, "%", ratio >= 90}}, err
}

func pickup(ctx context.Context) ([]row, error) {
	all, err := bench(ctx, "./scheduler/queue", "^BenchmarkPickup$", "300x")
	p99, measured := all["Pickup"]["p99-ms"]
	return []row{{"from enqueue to an idle worker, 99th percentile", "<= 100 ms", p99, "ms", measured && p99 <= 100}}, err
}

func proposals(ctx context.Context) ([]row, error) {
	all, err := bench(ctx, "./scheduler", "^BenchmarkNextTrial$", "50x")
	var rows []row
	for _, n := range []string{"100", "1000", "10000"} {
		rate := all["NextTrial/"+n]["trials/s"]
		rows = append(rows, row{"proposals and records after " + n + " trials", ">= 200/s", rate, "/s", rate >= 200})
	}
	return rows, err
}

func planning(ctx context.Context) ([]row, error) {
	all, err := bench(ctx, "./scheduler/plan", "^BenchmarkPlan$", "3x")
	seconds, measured := all["Plan"]["s/plan"]
	return []row{{"planning of 100,000 jobs", "<= 2 s", seconds, "s", measured && seconds <= 2}}, err
}

func cold(ctx context.Context) ([]row, error) {
	all, err := bench(ctx, "./scheduler", "^BenchmarkCold$", "3x")
	var rows []row
	for _, store := range []string{"folder", "minio"} {
		m := all["Cold/"+store]
		rows = append(rows,
			row{"list of 10,000 jobs, cold, " + store, "<= 1 s", m["s/list"], "s", m != nil && m["s/list"] <= 1},
			row{"sweep of 10,000 jobs, cold, " + store, "<= 1 s", m["s/glance"], "s", m != nil && m["s/glance"] <= 1},
			row{"memory with that sweep, " + store, "<= 300 MiB", m["MiB-heap"], "MiB", m != nil && m["MiB-heap"] <= 300})
	}
	return rows, err
}

const sweepFile = `name: bench
dataset: {path: pictures}
model: {base: "builtin:tinynet"}
preprocessing: {resize: [36, 36], crop: 32, mirror: true, mean: [128, 128, 128], scale: 0.01}
training: {learning_rate: 0.01, epochs: %d, batch_size: 8, threads: 1}
checkpoints: {every_epochs: 100}
cross_validation: {folds: 4}
`

// trainings measures real ones, of one thread each: what two slots gain over one, and
// what a job takes besides the epochs that it trains. The start of the command, in which
// it reads the pictures and compiles the network, counts in.
func trainings(ctx context.Context, binary string, epochs int) ([]row, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	one, trained, err := training(ctx, binary, epochs, 1)
	if err != nil {
		return nil, err
	}
	two, _, err := training(ctx, binary, epochs, 2)
	gain := one.Seconds() / two.Seconds()
	overhead := 100 * (one.Seconds() - trained) / 4 / 60
	return []row{
		{"two workers on two cores, of one", ">= 1.9 x", gain, "x", gain >= 1.9},
		{"overhead of a job, of a minute", "<= 1 %", overhead, "%", overhead <= 1},
	}, err
}

// training runs a sweep of four jobs in a new folder; trained is the sum of the seconds
// of their epochs.
func training(ctx context.Context, binary string, epochs, slots int) (wall time.Duration, trained float64, err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	command := func(args ...string) ([]byte, error) {
		cmd := exec.CommandContext(ctx, binary, args...)
		cmd.Dir = dir
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("%s %v: %w", binary, args, err)
		}
		return out, nil
	}
	if _, err := command("dataset", "example", "pictures", "--pictures", "48", "--size", "36"); err != nil {
		return 0, 0, err
	}
	if err := os.WriteFile(filepath.Join(dir, "bench.yaml"), fmt.Appendf(nil, sweepFile, epochs), 0o600); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	out, err := command("run", "bench.yaml", "--slots", strconv.Itoa(slots), "--output", "json")
	wall = time.Since(start)
	if err != nil {
		return 0, 0, err
	}
	var r plan.Results
	if err := json.Unmarshal(out, &r); err != nil {
		return 0, 0, fmt.Errorf("read the results: %w", err)
	}
	for _, t := range r.Trials {
		for _, f := range t.Folds {
			for _, epoch := range f.History {
				trained += epoch.Seconds
			}
		}
	}
	return wall, trained, nil
}
