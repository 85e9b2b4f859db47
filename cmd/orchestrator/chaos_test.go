package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// The chaos test trains real sweeps while it kills -9 daemons, trainer processes
// and whoever else reconciles, at random; stops, restarts, pauses and flushes Redis;
// stops, pauses and restarts MinIO, has it answer that it is out of order or full,
// and replaces checkpoints by garbage. Some daemons' clocks are wrong by hours. Then
// every sweep must have ended with the bits of an undisturbed run, with each outcome
// recorded once, and no job trained again that had one.
//
//	ORCHESTRATOR_TEST_CHAOS_KILLS  processes to kill; 10, in the full tier 200
//	ORCHESTRATOR_TEST_CHAOS_SEED   of a run to repeat
//	ORCHESTRATOR_TEST_CHAOS_OUTAGE the longest outage; 3s

// chaosSweeps are taken in turn; each has a seed of its own, and the first so many
// epochs.
var chaosSweeps = []string{`
name: chaos-grid-ROUND
dataset: {path: pictures}
model: {base: "builtin:tinynet"}
preprocessing: {resize: [36, 36], crop: 32, mirror: true, mean: [128, 128, 128], scale: 0.01}
training: {learning_rate: 0.01, momentum: 0.9, epochs: EPOCHS, batch_size: 8, threads: 1, seed: ROUND}
checkpoints: {every_epochs: 20}
cross_validation: {folds: 3}
parameters:
  training.learning_rate: {values: [0.01, 0.003]}
`, `
name: chaos-search-ROUND
dataset: {path: pictures}
model: {base: "builtin:tinynet"}
preprocessing: {resize: 32, mean: [128, 128, 128], scale: 0.01}
training: {learning_rate: 0.01, epochs: 120, batch_size: 8, threads: 1, seed: ROUND}
checkpoints: {every_epochs: 20}
cross_validation: {folds: 3}
method: tpe
run_cap: 6
max_concurrent_trials: 3
metric: {name: loss}
early_terminate: {type: asha, min_iter: 40, eta: 2, folds: {min: 1, alpha: 0.3}}
parameters:
  training.learning_rate: {distribution: log_uniform_values, min: 0.001, max: 0.1}
  training.momentum: {min: 0, max: 0.95}
`}

func TestChaos(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	c := newChaos(t)
	t.Logf("seed %d: repeat with ORCHESTRATOR_TEST_CHAOS_SEED=%[1]d", c.seed)
	var sweeps []string // files, in the order of their submission
	for round := 0; round == 0 || c.kills < c.goal; round++ {
		number := strings.NewReplacer("ROUND", strconv.Itoa(round), "EPOCHS", strconv.Itoa(testenv.Size(0, 100, 400)))
		file := c.write(fmt.Sprintf("sweep%d.yaml", round), number.Replace(chaosSweeps[round%len(chaosSweeps)]))
		sweeps = append(sweeps, file)
		c.submit(file)
		c.disturbUntilOver(file)
	}
	c.repair()
	c.watchOutcomes()
	t.Logf("%d kills and %d other disturbances in %v; %d sweeps, %d outcomes; %v",
		c.kills, c.disturbances, time.Since(c.began).Round(time.Second), len(sweeps), len(c.outcomes), c.done)
	for _, file := range sweeps {
		c.check(file)
	}
	c.checkAttempts()
}

// chaos is a cluster under attack.
type chaos struct {
	*workspace
	r     *rand.Rand
	seed  uint64
	redis *queuetest.Redis
	minio *artifactstest.MinIO
	store artifacts.Store // around the gate
	gate  *gate

	daemons      []*process
	began        time.Time
	goal, kills  int
	disturbances int
	longest      time.Duration
	done         map[string]int  // what was done how often
	outcomes     map[string]seen // by key, as they were first seen
	heal         []func()        // what ends a disturbance under way
	healAt       time.Time
}

// seen is an outcome as it was found for the first time.
type seen struct {
	content  string
	modified time.Time
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{began: time.Now(), goal: testenv.Size(0, 10, 200), longest: 3 * time.Second, seed: uint64(time.Now().UnixNano()), done: map[string]int{}, outcomes: map[string]seen{}}
	set := func(name string, to func(string) error) {
		if text := os.Getenv("ORCHESTRATOR_TEST_CHAOS_" + name); text != "" {
			if err := to(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	set("KILLS", func(s string) (err error) { c.goal, err = strconv.Atoi(s); return err })
	set("SEED", func(s string) (err error) { c.seed, err = strconv.ParseUint(s, 10, 64); return err })
	set("OUTAGE", func(s string) (err error) { c.longest, err = time.ParseDuration(s); return err })
	c.r = rand.New(rand.NewPCG(c.seed, 0))
	c.redis = queuetest.StartRedis(t)
	c.minio = artifactstest.StartMinIO(t)
	c.gate = newGate(t, c.minio.Endpoint)
	c.workspace = newWorkspace(t,
		"ORCHESTRATOR_REDIS="+c.redis.Options().Addr,
		"ORCHESTRATOR_STORE=s3://orchestrator",
		"ORCHESTRATOR_S3_ENDPOINT="+c.gate.server.URL,
		"ORCHESTRATOR_S3_ACCESS_KEY="+c.minio.AccessKey,
		"ORCHESTRATOR_S3_SECRET_KEY="+c.minio.SecretKey,
	)
	c.store = c.minio.Store(t, "orchestrator", "")
	c.run("dataset", "example", "pictures", "--pictures", "48", "--size", "36")
	c.daemons = make([]*process, 3)
	t.Cleanup(c.repair)
	return c
}

// keepDaemons starts those that are gone.
func (c *chaos) keepDaemons() {
	skews := []time.Duration{0, 0, 3 * time.Hour, -2 * time.Hour}
	for i, d := range c.daemons {
		if d != nil {
			select {
			case <-d.done:
			default:
				continue
			}
		}
		w := *c.workspace
		if skew := skews[c.r.IntN(len(skews))]; skew != 0 {
			w.env = append(w.env[:len(w.env):len(w.env)], clockSkew+"="+skew.String())
		}
		c.daemons[i] = w.start("worker", "--slots", "1", "--reconcile-every", "1s")
	}
}

// submit submits until it has worked: a submission that was killed or that found
// Redis or MinIO away is repeated.
func (c *chaos) submit(file string) {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		p := c.start("submit", file)
		if c.r.IntN(2) == 0 {
			c.pause(300 * time.Millisecond)
			c.kill(p.cmd.Process.Pid, "submission")
		}
		<-p.done
		c.endDisturbance()
		if p.cmd.ProcessState.Success() {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s cannot be submitted: %s", file, p.log.String())
		}
	}
}

// disturbUntilOver attacks until the sweep has ended, but not for ever: jobs that
// are killed several times a second, and whose pauses grow from attempt to attempt,
// need not come to an end meanwhile. They must once the attack rests.
func (c *chaos) disturbUntilOver(file string) {
	c.t.Helper()
	var looked time.Time
	rest := time.Now().Add(4 * time.Minute)
	for deadline := rest.Add(6 * time.Minute); ; {
		c.keepDaemons()
		c.pause(200 * time.Millisecond)
		c.endDisturbance()
		if c.kills < c.goal && time.Now().Before(rest) {
			c.disturb()
		} else {
			c.repair()
		}
		if time.Since(looked) < 2*time.Second {
			continue
		}
		looked = time.Now()
		c.watchOutcomes()
		out, errOut, code := c.try("results", c.id(file), "--output", "json")
		switch {
		case code == exitOK:
			switch r := parseResults(c.t, out); r.State {
			case plan.Completed:
				return
			case plan.Failed, plan.Canceled:
				c.t.Fatalf("%s: the sweep %s:\n%s", file, r.State, out)
			}
		case time.Now().After(deadline):
			c.t.Fatalf("%s does not come to its end: %s", file, errOut)
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%s does not come to its end:\n%s", file, out)
		}
	}
}

// id is the sweep's name, which is unique here.
func (c *chaos) id(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "name: ")
	name, _, _ := strings.Cut(rest, "\n")
	return name
}

// pause waits for a random time with this mean.
func (c *chaos) pause(mean time.Duration) {
	wait := time.Duration(c.r.ExpFloat64() * float64(mean))
	<-time.After(min(wait, 10*mean))
}

func (c *chaos) kill(pid int, what string) {
	if syscall.Kill(pid, syscall.SIGKILL) == nil {
		c.kills++
		c.done["killed: "+what]++
	}
}

// disturb does one of many bad things.
func (c *chaos) disturb() {
	daemon := c.daemons[c.r.IntN(len(c.daemons))]
	pid := daemon.cmd.Process.Pid
	switch n := c.r.IntN(100); {
	case n < 60:
		for _, child := range children(c.t, pid) {
			c.kill(child, "trainer")
		}
	case n < 72:
		c.kill(pid, "daemon")
	case n < 75:
		c.note("drained a daemon")
		_ = daemon.cmd.Process.Signal(syscall.SIGTERM)
	case n < 83:
		p := c.start("resume", "latest")
		c.pause(100 * time.Millisecond)
		c.kill(p.cmd.Process.Pid, "reconciler")
	case n < 85:
		c.corrupt()
	case len(c.heal) > 0: // one outage at a time
	case n < 88:
		c.note("froze a daemon")
		if daemon.cmd.Process.Signal(syscall.SIGSTOP) == nil {
			c.until(12*time.Second, func() { _ = daemon.cmd.Process.Signal(syscall.SIGCONT) })
		}
	case n < 90:
		c.note("flushed Redis")
		c.redis.Flush()
	case n < 92:
		c.note("restarted Redis")
		c.redis.Kill()
		c.until(c.longest, c.redis.Start)
	case n < 94:
		c.note("paused Redis")
		if c.redis.Pause() == nil {
			c.until(c.longest, func() { _ = c.redis.Continue() })
		}
	case n < 96:
		c.note("restarted MinIO")
		c.minio.Stop()
		c.until(c.longest, func() {
			if err := c.minio.Start(); err != nil {
				c.t.Fatal(err)
			}
		})
	case n < 98:
		c.note("MinIO out of order")
		c.gate.answer.Store(http.StatusServiceUnavailable)
		c.until(c.longest, func() { c.gate.answer.Store(0) })
	default:
		c.note("MinIO full")
		c.gate.answer.Store(http.StatusInsufficientStorage)
		c.until(c.longest, func() { c.gate.answer.Store(0) })
	}
}

func (c *chaos) note(what string) {
	c.disturbances++
	c.done[what]++
}

// until ends a disturbance after a random time.
func (c *chaos) until(longest time.Duration, heal func()) {
	c.heal = append(c.heal, heal)
	c.healAt = time.Now().Add(time.Duration(c.r.Int64N(int64(longest))))
}

func (c *chaos) endDisturbance() {
	if len(c.heal) > 0 && time.Now().After(c.healAt) {
		c.repair()
	}
}

// repair ends whatever disturbance is under way.
func (c *chaos) repair() {
	for _, heal := range c.heal {
		heal()
	}
	c.heal = nil
}

// corrupt replaces a checkpoint by garbage, or half of it by nothing.
func (c *chaos) corrupt() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	var keys []string
	for info, err := range c.store.List(ctx, "jobs/") {
		if err != nil {
			return // MinIO is away
		}
		if strings.Contains(info.Key, "/checkpoints/") {
			keys = append(keys, info.Key)
		}
	}
	if len(keys) == 0 {
		return
	}
	garbage := make([]byte, c.r.IntN(4000))
	for i := range garbage {
		garbage[i] = byte(c.r.IntN(256))
	}
	if c.store.Put(ctx, keys[c.r.IntN(len(keys))], bytes.NewReader(garbage), int64(len(garbage))) == nil {
		c.note("corrupted a checkpoint")
	}
}

// watchOutcomes notes new outcomes and finds those that have changed.
func (c *chaos) watchOutcomes() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for info, err := range c.store.List(ctx, "jobs/") {
		if err != nil {
			return // MinIO is away
		}
		if !strings.HasSuffix(info.Key, "/outcome.json") {
			continue
		}
		first, known := c.outcomes[info.Key]
		switch {
		case known && !info.Modified.Equal(first.modified):
			c.t.Errorf("%s was recorded at %v and again at %v", info.Key, first.modified, info.Modified)
		case !known:
			var o plan.Outcome
			if artifacts.GetJSON(ctx, c.store, info.Key, &o) == nil {
				c.outcomes[info.Key] = seen{content: fmt.Sprint(o.Attempts, o.Finished), modified: info.Modified}
			}
		}
	}
}

// check compares a sweep's figures with those of an undisturbed run.
func (c *chaos) check(file string) {
	c.t.Helper()
	calm := newWorkspace(c.t)
	calm.run("dataset", "example", "pictures", "--pictures", "48", "--size", "36")
	text, err := os.ReadFile(file)
	if err != nil {
		c.t.Fatal(err)
	}
	calm.run("run", calm.write("sweep.yaml", string(text)))
	got := parseResults(c.t, c.run("results", c.id(file), "--output", "json"))
	want := calm.results()
	if diff := cmp.Diff(figures(c.t, want), figures(c.t, got)); diff != "" {
		c.t.Errorf("%s (-undisturbed +chaos):\n%s", file, diff)
	}
	for i, trial := range want.Trials {
		if other := got.Trials[i]; plan.ParametersKey(other.Parameters) != plan.ParametersKey(trial.Parameters) || other.State != trial.State {
			c.t.Errorf("%s: trial %d is %v, %s; undisturbed %v, %s", file, i, other.Parameters, other.State, trial.Parameters, trial.State)
		}
	}
}

// checkAttempts finds attempts that began although the job had its outcome.
func (c *chaos) checkAttempts() {
	c.t.Helper()
	ctx := context.Background()
	attempts, again := 0, 0
	for key, first := range c.outcomes {
		job := strings.TrimSuffix(strings.TrimPrefix(key, "jobs/"), "/outcome.json")
		for info, err := range c.store.List(ctx, plan.AttemptPrefix(job)) {
			if err != nil {
				c.t.Fatal(err)
			}
			if strings.HasSuffix(info.Key, ".log") {
				continue
			}
			var a plan.Attempt
			if err := artifacts.GetJSON(ctx, c.store, info.Key, &a); err != nil {
				c.t.Fatal(err)
			}
			attempts++
			started, err := time.Parse(time.RFC3339Nano, a.Started)
			if err != nil {
				c.t.Fatal(err)
			}
			if skew, err := time.ParseDuration(a.Host); err == nil {
				started = started.Add(-skew)
			}
			if started.After(first.modified.Add(2 * time.Second)) { // the store rounds to seconds
				again++
				c.t.Errorf("job %s has an outcome since %v; attempt %d began at %v", job, first.modified, a.Number, started)
			}
		}
	}
	c.t.Logf("%d attempts at %d jobs, %d of them after the outcome", attempts, len(c.outcomes), again)
}

// gate stands before MinIO and answers in its place when it is told to.
type gate struct {
	server *httptest.Server
	answer atomic.Int64 // an HTTP status; 0: MinIO's own
}

func newGate(t *testing.T, endpoint string) *gate {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // which the request is signed for
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
		ErrorLog:     log.New(io.Discard, "", 0),
	}
	g.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch status := int(g.answer.Load()); {
		case status == http.StatusInsufficientStorage && r.Method == http.MethodPut:
			w.WriteHeader(status)
			fmt.Fprint(w, `<?xml version="1.0"?><Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold.</Message></Error>`)
		case status == http.StatusServiceUnavailable:
			w.WriteHeader(status)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(g.server.Close)
	return g
}
