package main

import (
	"bufio"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/cmd/orchestrator/internal/web/browsertest"
	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// watchedSweep is one whose jobs take a second or two, so that its pages can be seen
// while it runs.
const watchedSweep = `
name: watched
dataset: {path: pictures}
model: {base: builtin:tinynet}
preprocessing: {resize: 36, crop: 32, mirror: true, mean: [128, 128, 128], scale: 0.0078125}
training: {learning_rate: 0.01, momentum: 0.9, epochs: 100, batch_size: 8, optimizer: sgd}
checkpoints: {every_epochs: 5}
cross_validation: {folds: 2}
method: grid
metric: {name: accuracy, goal: maximize}
parameters:
  training.learning_rate: {values: [0.01, 0.003, 0.001]}
  training.momentum: {values: [0.9, 0.5, 0]}
`

// TestPages drives a browser through the pages of the server, beside a real sweep.
// One browser serves all of it.
func TestPages(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	b := browsertest.Start(t, testenv.Root(t))
	part := func(name string, f func(*testing.T, *browsertest.Browser)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, b)
		})
	}
	part("a sweep that runs", testPagesOfRunningSweep)
	part("failed jobs", testPagesOfFailedJobs)
	part("hostile names", testPagesOfHostileNames)
	part("signing in", testPagesOfSigningIn)
	part("a thousand trials", testPagesOfThousandTrials)
}

// newQueue is a workspace with a Redis of its own, and a folder as its store.
func newQueue(t *testing.T) *workspace {
	t.Helper()
	return newWorkspace(t, "ORCHESTRATOR_REDIS="+queuetest.StartRedis(t).Options().Addr)
}

// status reads what the queue knows of the latest sweep, too.
func (w *workspace) status() *plan.Results {
	w.t.Helper()
	return parseResults(w.t, w.run("status", "--output", "json"))
}

// serve starts the server on a free port, and is its address.
func (w *workspace) serve(args ...string) string {
	w.t.Helper()
	cmd := w.command(append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	var log syncBuffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if w.t.Failed() {
			w.t.Logf("the server said:\n%s", log.String())
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		w.t.Fatalf("the server says no address: %v\n%s", err, log.String())
	}
	address := line[strings.Index(line, "http://") : len(line)-1]
	return strings.TrimSuffix(address, "/")
}

func testPagesOfRunningSweep(t *testing.T, b *browsertest.Browser) {
	w := newQueue(t)
	w.run("dataset", "example", "pictures", "--pictures", "48", "--size", "36")
	file := w.write("watched.yaml", watchedSweep)
	p := b.Page(t, w.serve(), browsertest.Light)

	p.Open("/")
	p.WaitText("main", "No sweep yet")
	p.Check("empty")
	w.run("submit", file)
	sweep := w.results().Sweep
	p.WaitText("tbody th", "watched") // nobody has reloaded the page
	p.WaitText("tbody .state", "pending")

	at := "/sweeps/" + sweep
	p.Open(at)
	p.WaitText("[data-live]", "live")
	p.WaitText("[data-sweep-state]", "pending")
	p.WaitText("main", "no trial is complete")
	p.Check("sweep-pending")
	worker := w.start("worker", "--slots", "1", "--reconcile-every", "1s")
	p.Wait(`document.querySelector("[data-sweep-state]").dataset.sweepState === "running"`, "the page says that the sweep runs")
	p.Wait(`document.querySelector("tbody [data-metric]") && /^\d\.\d{4}/.test(document.querySelector("tbody [data-metric]").textContent)`, "a trial has a score")
	before := p.Eval(`document.querySelector("[data-figure=seconds]").textContent`)
	p.Wait(`document.querySelector("[data-figure=seconds]").textContent !== `+fmt.Sprintf("%q", before), "the device time goes on")
	looksAround(p, w, sweep)

	pressButtons(p, w, at)
	r := w.finish(3 * time.Minute)
	p.Wait(`document.querySelector("[data-sweep-state]").dataset.sweepState === "completed"`, "the page says that the sweep is completed")
	best := r.Trials[r.Best.Trial].Summary["accuracy"]
	p.WaitText(fmt.Sprintf("tr[data-trial='%d'] [data-metric]", r.Best.Trial), fmt.Sprintf("%.4f ± %.4f", best.Mean, best.Std))
	p.WaitText("tr.best", "best")
	figuresAsTheCommandLine(t, p)
	looksAtResults(p, r)
	worker.signal(os.Interrupt)
	worker.wait(time.Minute)
}

// figuresAsTheCommandLine holds what the pages write to what tables write.
func figuresAsTheCommandLine(t *testing.T, p *browsertest.Page) {
	t.Helper()
	for call, want := range map[string]string{
		`statText({mean: 0.97291, std: 0.02014})`: "0.9729 ± 0.0201", `statText({mean: 0.5, std: null})`: "0.5000",
		`scoreText(null)`: "nan", `scoreText(123456.789)`: "1.2346e+05", `scoreText(1234.5)`: "1234.5",
		`numberText(0.0003)`: "0.0003", `numberText(0.00001)`: "1e-05", `numberText(1234567.5)`: "1.2345675e+06", `numberText(1e9)`: "1000000000",
		`valueText([1, "a"])`: `[1,"a"]`, `valueText("a\u202eb\nc")`: "a b c", `valueText(true)`: "true",
		`[...shortNames(["a.rate", "b.rate", "c.size"]).values()].join()`: "a.rate,b.rate,size",
	} {
		p.Wait(`(window.format ??= import("/assets/lib/format.js").then((m) => { window.format = m })) && window.format.statText`, "the pages' figures can be asked for")
		name := call[:strings.IndexAny(call, "([")]
		if name == "" {
			call = "[...window.format." + strings.TrimPrefix(call, "[...")
		} else {
			call = "window.format." + call
		}
		if got := p.Eval(call); got != want {
			t.Errorf("%s writes %q, and the command line %q", call, got, want)
		}
	}
}

// looksAround visits what shows a sweep that runs.
func looksAround(p *browsertest.Page, w *workspace, sweep string) {
	running := ""
	eventually(w.t, time.Minute, "a job runs", func() bool {
		eachFold(w.status(), func(_ plan.TrialResult, f plan.FoldResult) {
			if f.State == plan.Running {
				running = f.Job
			}
		})
		return running != ""
	})
	p.Open("/jobs/" + running + "?sweep=" + sweep)
	p.WaitText("main", "1 attempt")
	p.Wait(`document.querySelector("[data-chart=curves]")`, "its curves are drawn before it is over")
	p.Open("/workers")
	p.WaitText("[data-worker]", "1 slot")
	p.Check("workers")
	p.Open("/sweeps/" + sweep)
	p.Check("sweep-running")
}

// pressButtons pauses, resumes, cancels, and resumes, each by its button; the page
// has to say so by itself.
func pressButtons(p *browsertest.Page, w *workspace, at string) {
	becomes := func(state plan.State) {
		p.Wait(fmt.Sprintf(`document.querySelector("[data-sweep-state]").dataset.sweepState === %q`, state), "the sweep is "+string(state))
		if got := w.status().State; got != state {
			w.t.Errorf("the page says that the sweep is %s, and the command says %s", state, got)
		}
	}
	press := func(action string) {
		p.Click("[data-action=" + action + "]")
		p.Wait(`document.querySelector("dialog[open]")`, "a question is asked")
		p.Click("dialog [type=submit]")
		p.Wait(`!document.querySelector("dialog[open]")`, "the question is gone")
	}
	p.Click("[data-action=pause]")
	p.Check("dialog")
	p.Press(browsertest.Escape)
	p.Wait(`!document.querySelector("dialog[open]")`, "Escape says no")
	press("pause")
	becomes(plan.Paused)
	press("resume")
	becomes(plan.Running)
	press("cancel")
	becomes(plan.Canceled)
	press("resume")
	becomes(plan.Running)
	shows := func(priority int) {
		p.Click("[data-action=settings]")
		p.Wait(fmt.Sprintf(`document.querySelector("dialog [name=priority]")?.value === "%d"`, priority), "the dialog shows the present priority")
		p.WaitText("dialog .hint", plan.PriorityWords)
		p.Wait(fmt.Sprintf(`["%d", "%d"].join() === ["min", "max"].map((b) => document.querySelector("dialog [name=priority]")[b]).join()`,
			plan.FirstPriority, plan.LastPriority), "the dialog has the bounds of all others")
	}
	shows(42)
	p.Eval(`document.querySelector("dialog [name=priority]").value = ""`)
	p.Type("dialog [name=priority]", "7")
	p.Click("dialog [type=submit]")
	p.WaitText(".toasts", "Changed")
	shows(7)
	p.Press(browsertest.Escape)
	p.Wait(`!document.querySelector("dialog[open]")`, "Escape says no")
}

// looksAtResults visits what shows a sweep that is completed, by its links.
func looksAtResults(p *browsertest.Page, r *plan.Results) {
	at, best := "/sweeps/"+r.Sweep, r.Trials[r.Best.Trial]
	p.Check("sweep-completed")
	p.Open(at + "?tab=curves")
	p.Wait(`document.querySelectorAll("[data-chart=curves]").length === 1`, "curves are drawn")
	p.Hover("[data-chart=curves]")
	p.WaitText(".tip", "trial")
	p.Check("curves")
	p.Open(at + "?tab=parameters")
	p.WaitText("main", "Hutter") // who is to be cited for the importance
	p.Check("parameters")
	p.Open(at + "?tab=stopped")
	p.WaitText("main", "No trial was stopped")
	p.Open(at + "?tab=settings")
	p.WaitText("pre", "name: watched")
	p.Check("settings")

	p.Open(fmt.Sprintf("%s/trials/%d", at, best.Trial))
	p.WaitText("[data-figure=accuracy]", fmt.Sprintf("%.4f ± %.4f", best.Summary["accuracy"].Mean, best.Summary["accuracy"].Std))
	p.Check("trial")
	p.Open("/jobs/" + best.Folds[0].Job + "?sweep=" + r.Sweep)
	p.Click("[data-action=log]")
	p.WaitText("pre.log", "epoch")
	p.Check("job")

	p.Open("/")
	p.WaitText("tbody .state", "completed")
	p.Check("sweeps")
	p.Type("input[type=search]", "nothing is named so")
	p.WaitText("main", "No sweep is like that")

	p.Open(fmt.Sprintf("/compare?of=%s/0&of=%s/1", r.Sweep, r.Sweep))
	p.WaitText("[data-pair]", "A − B")
	p.Check("compare")
	looksAtPictures(p, at)
}

// looksAtPictures goes through the gallery by keyboard.
func looksAtPictures(p *browsertest.Page, at string) {
	p.Open(at + "/pictures")
	p.Wait(`document.querySelectorAll(".shot img").length === 48`, "every picture is there once")
	p.Wait(`[...document.querySelectorAll(".shot img")].slice(0, 4).every((i) => i.complete && i.naturalWidth > 0)`, "pictures are shown")
	p.Check("pictures")
	p.Eval(`document.querySelector(".shot").focus()`)
	p.Press(browsertest.Right)
	p.Wait(`document.activeElement === document.querySelectorAll(".shot")[1]`, "the arrow key moves on")
	p.Press(browsertest.Enter)
	p.WaitText("dialog", "2 of 48")
	p.Press(browsertest.Right)
	p.WaitText("dialog", "3 of 48")
	p.Wait(`document.querySelector("dialog img").naturalWidth > 0`, "the picture is shown")
	p.Check("viewer")
	p.Press(browsertest.Escape)
	p.Wait(`!document.querySelector("dialog")`, "the large view is gone")
	p.Open(at + "/pictures?right=false&sort=confidence")
	p.Wait(`![...document.querySelectorAll(".shot")].some((s) => !s.classList.contains("wrong"))`, "only wrong ones are shown")
}

func testPagesOfFailedJobs(t *testing.T, b *browsertest.Browser) {
	w := newQueue(t)
	file := w.tiny()
	w.start("worker", "--slots", "1", "--reconcile-every", "1s")
	_, _, code := w.try("submit", "--watch", file, "--set", "preprocessing.scale=1e30", "--set", "parameters={}", "--set", "training.epochs=30")
	if code != exitJobFailed {
		t.Fatalf("exit code %d, want %d", code, exitJobFailed)
	}
	r := w.results()
	job := r.Trials[0].Folds[0].Job
	p := b.Page(t, w.serve(), browsertest.Light)
	p.Open("/sweeps/" + r.Sweep)
	p.WaitText(".notice.bad", "2 jobs failed")
	p.WaitText(".notice.bad", "lower training.learning_rate")
	p.Check("sweep-failed")
	p.Open("/jobs/" + job + "?sweep=" + r.Sweep)
	p.WaitText("main", "1 attempt")
	p.WaitText("pre.log", "attempt")
	p.Check("job-failed")
	other := b.Page(t, strings.TrimSuffix(p.Eval("location.origin"), "/"), browsertest.Light)
	other.Open("/sweeps/" + r.Sweep)
	other.Click("[data-action=retry]")
	other.Click("dialog [type=submit]")
	other.WaitText(".toasts", "Queued again")
	p.WaitText("main", "2 attempts") // the first tab hears of it
}

// hostile is text that is to be read, never run or obeyed.
const hostile = `<img src=x onerror="document.title='owned'">'"` + "\u202egnp"

func testPagesOfHostileNames(t *testing.T, b *browsertest.Browser) {
	w := newWorkspace(t)
	w.run("dataset", "example", "pictures", "--pictures", "24", "--size", "36")
	classes, err := filepath.Glob(filepath.Join(w.dir, "pictures", "*"))
	if err != nil || len(classes) < 2 {
		t.Fatalf("the example has the classes %v (%v)", classes, err)
	}
	evil := filepath.Join(w.dir, "pictures", strings.ReplaceAll(hostile, "/", ""))
	if err := os.Rename(classes[0], evil); err != nil {
		t.Fatal(err)
	}
	file := w.write("evil.yaml", strings.NewReplacer("epochs: 100", "epochs: 3", "training.momentum: {values: [0.9, 0.5, 0]}", "", "values: [0.01, 0.003, 0.001]",
		"values: {"+yamlText(hostile)+": 0.01, plain: 0.003}").Replace(watchedSweep))
	w.run("run", file)
	r := w.results()
	p := b.Page(t, w.serve(), browsertest.Light)
	for i, path := range []string{
		"", "?tab=curves", "?tab=parameters", "?tab=settings", "/trials/0", "/pictures", "/pictures?view=0",
		"/pictures?label=" + url.QueryEscape(filepath.Base(evil)),
	} {
		p.Open("/sweeps/" + r.Sweep + path)
		p.Check(fmt.Sprintf("hostile-%d", i))
		harmless(t, p, path)
	}
	p.Open("/jobs/" + r.Trials[0].Folds[0].Job + "?sweep=" + r.Sweep)
	harmless(t, p, "the job")
	p.Open(fmt.Sprintf("/compare?of=%s/0&of=%s/1", r.Sweep, r.Sweep))
	harmless(t, p, "the comparison")
	p.Expect("422")
	p.Open("/sweeps/" + url.PathEscape(`x<img src=x onerror=alert(1)>`))
	harmless(t, p, "a sweep that is not there")
}

// yamlText is text in double quotes.
func yamlText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\u202e", `\u202e`).Replace(text) + `"`
}

// harmless fails where a name has become markup, has run, or turns what follows it.
func harmless(t *testing.T, p *browsertest.Page, where string) {
	t.Helper()
	for what, expression := range map[string]string{
		"an element":             `document.querySelectorAll("img[onerror], img[src='x']").length`,
		"a script that ran":      `document.title.includes("owned") ? 1 : 0`,
		"a character that turns": `document.body.innerText.includes("\u202e") ? 1 : 0`,
	} {
		if n := p.Eval(expression); n != "0" {
			t.Errorf("%s: a name has become %s", where, what)
		}
	}
}
