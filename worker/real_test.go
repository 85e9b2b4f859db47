package worker

import (
	"bytes"
	compare "cmp"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
	"orchestrator/tools/testenv"
	"orchestrator/trainer/builtin"
	"orchestrator/trainer/dataset"
	"orchestrator/trainer/onnx"
	"orchestrator/trainer/onnx/onnximport"
	"orchestrator/trainer/ort"
	"orchestrator/trainer/ort/orttest"
)

// The variables of a trainer process that is real but for killing itself.
const (
	killEnv  = "WORKER_TEST_KILL" // PHASE PUT: in, before or after its PUT-th write to the store; or later, at once
	cacheEnv = "WORKER_TEST_CACHE"
	// cacheSizeEnv is what the cache may take, in bytes.
	cacheSizeEnv = "WORKER_TEST_CACHE_SIZE"
)

// playJob is a real trainer process. It kills itself as killEnv says, in its
// first attempt.
func playJob() {
	store, err := artifacts.Dir(filepath.Join(os.Getenv(folderEnv), "store"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	p := JobProcess{
		Store: store, CacheDir: os.Getenv(cacheEnv), Versions: map[string]string{"orchestrator": "test"},
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}
	p.CacheSize, _ = strconv.ParseInt(os.Getenv(cacheSizeEnv), 10, 64)
	if phase, put, ok := strings.Cut(os.Getenv(killEnv), " "); ok {
		n, _ := strconv.Atoi(put)
		p.Store = &suicidal{Store: store, phase: phase, left: n}
	}
	var in io.Reader = os.Stdin
	var out io.Writer = os.Stdout
	if os.Getenv(killEnv) == holdUntilStop {
		told := make(chan struct{})
		lines := &lineWriter{line: func(line []byte) {
			if string(line) == stopLine {
				close(told)
			}
		}}
		in, out = io.TeeReader(os.Stdin, lines), &holding{w: out, told: told}
	}
	if RunJob(context.Background(), p, in, out) != nil {
		os.Exit(1)
	}
}

// holdUntilStop has a process wait in its first step until it is told to stop,
// so that it is interrupted in the middle of an epoch.
const holdUntilStop = "hold"

type holding struct {
	w    io.Writer
	told chan struct{}
}

func (h *holding) Write(p []byte) (int, error) {
	n, err := h.w.Write(p)
	if bytes.Contains(p, []byte(eventProgress)) {
		<-h.told
	}
	return n, err
}

// suicidal kills its process at a certain write.
type suicidal struct {
	artifacts.Store
	phase string
	left  int
}

func die() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL) }

func (s *suicidal) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	return s.write(ctx, key, r, size, s.Store.Put)
}

func (s *suicidal) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	return s.write(ctx, key, r, size, s.Store.Create)
}

func (s *suicidal) write(ctx context.Context, key string, r io.Reader, size int64, write func(context.Context, string, io.Reader, int64) error) error {
	s.left--
	if s.left != 0 {
		return write(ctx, key, r, size)
	}
	switch s.phase {
	case "before":
		die()
	case "in":
		r = io.MultiReader(io.LimitReader(r, size/2), deadly{})
	}
	err := write(ctx, key, r, size)
	switch s.phase {
	case "after":
		die()
	case "later": // somewhere in the steps of the next epoch
		time.AfterFunc(3*time.Millisecond, die)
	}
	return err
}

// deadly kills whoever reads it.
type deadly struct{}

func (deadly) Read([]byte) (int, error) {
	die()
	select {}
}

// study is a data set and a job on it in a folder store, and a cache.
type study struct {
	*testing.T
	folder, cache string
	store         artifacts.Store
	spec          plan.Spec
	env           []string // of trainer processes
}

const (
	studyJob    = "tiny"
	studyEpochs = 4
)

func newStudy(t *testing.T, cache string) *study {
	t.Helper()
	s := &study{T: t, folder: t.TempDir(), cache: cache}
	var err error
	if s.store, err = artifacts.Dir(filepath.Join(s.folder, "store")); err != nil {
		t.Fatal(err)
	}
	s.spec = plan.Spec{
		Job: studyJob, Engine: plan.Engine, Sweep: "sweep", Config: tinyConfig(),
		Resources: plan.Resources{MaxRestarts: 3}, Checkpoints: plan.Checkpoints{EveryEpochs: 1, SaveTrialLatest: 1},
	}
	s.spec.Config.Preprocessing.Mirror = true
	s.spec.Config.Training.Epochs = studyEpochs
	s.addData()
	s.addModel()
	if err := artifacts.PutJSON(t.Context(), s.store, plan.SpecKey(studyJob), s.spec); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *study) addData() {
	s.Helper()
	pictures := filepath.Join(s.TempDir(), "pictures")
	if err := dataset.Example(pictures, 60, 36, 1); err != nil {
		s.Fatal(err)
	}
	index, err := dataset.Scan(s.Context(), dataset.Options{Path: pictures})
	if err != nil {
		s.Fatal(err)
	}
	var pack bytes.Buffer
	digest, size, err := dataset.WritePack(s.Context(), index, &pack)
	if err != nil {
		s.Fatal(err)
	}
	s.spec.Classes = index.Classes
	s.spec.Pack = plan.Ref{Name: "pictures", Digest: digest, Key: plan.PackKey(digest), Size: size}
	s.put(s.spec.Pack.Key, pack.Bytes())
	for i := range index.Samples {
		if i%4 == 0 {
			s.spec.Test = append(s.spec.Test, i)
		} else {
			s.spec.Train = append(s.spec.Train, i)
		}
	}
}

func (s *study) addModel() {
	s.Helper()
	g, err := builtin.Model("tinynet", len(s.spec.Classes), 1)
	if err != nil {
		s.Fatal(err)
	}
	data, err := onnx.Encode(g)
	if err != nil {
		s.Fatal(err)
	}
	sum := sha256.Sum256(data)
	digest := hex.EncodeToString(sum[:])
	s.spec.Base = plan.Ref{Name: "builtin:tinynet", Digest: digest, Key: plan.BaseKey(digest), Size: int64(len(data))}
	s.put(s.spec.Base.Key, data)
}

func (s *study) put(key string, data []byte) {
	s.Helper()
	if err := s.store.Put(s.Context(), key, bytes.NewReader(data), int64(len(data))); err != nil {
		s.Fatal(err)
	}
}

// daemon makes one whose children are real trainer processes; the first of them
// dies as kill says.
func (s *study) daemon(kill string, board Board) *Daemon {
	first, binary, library := true, testenv.Binary(s.T), library(s.T)
	return New(Options{
		Store: s.store, Slots: []Slot{{Device: "cpu"}}, Board: board, ReportEvery: time.Millisecond,
		Log: slog.New(slog.NewTextHandler(testWriter{s.T}, nil)),
		Command: func(ctx context.Context) *exec.Cmd {
			cmd := exec.CommandContext(ctx, binary)
			cmd.Env = append(os.Environ(), playEnv+"=job", folderEnv+"="+s.folder, cacheEnv+"="+s.cache, ort.LibraryEnv+"="+library)
			cmd.Env = append(cmd.Env, s.env...)
			if first && kill != "" {
				cmd.Env = append(cmd.Env, killEnv+"="+kill)
			}
			first = false
			return cmd
		},
	})
}

// library finds the ONNX Runtime library, without which there is no training.
func library(t *testing.T) string {
	t.Helper()
	path, _, err := ort.FindLibrary("", "cpu")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

func (s *study) do(d *Daemon, want End) {
	s.Helper()
	if end, err := d.Do(s.Context(), Task{Sweep: "sweep", Job: studyJob}); end != want {
		s.Fatalf("ended %s, want %s: %v", end, want, err)
	}
}

func (s *study) outcome() plan.Outcome {
	s.Helper()
	var o plan.Outcome
	if err := artifacts.GetJSON(s.Context(), s.store, plan.OutcomeKey(studyJob), &o); err != nil {
		s.Fatal(err)
	}
	return o
}

// bits is everything in an outcome that must not depend on what happened on the
// way: metrics, history, confusion, and the digests of network and predictions.
func bits(o plan.Outcome) string {
	o.Attempts, o.Seconds, o.Host, o.Finished = 0, 0, "", ""
	for i := range o.History {
		o.History[i].Seconds = 0
	}
	text, err := json.MarshalIndent(o, "", " ")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// undisturbed runs the job once and checks what it leaves.
func undisturbed(t *testing.T, cache string) string {
	t.Helper()
	s := newStudy(t, cache)
	board := &fakeBoard{}
	s.do(s.daemon("", board), Completed)
	o := s.outcome()
	if len(o.History) != studyEpochs || o.Epochs != studyEpochs || len(o.Confusion) != 3 || o.Metrics["accuracy"] == 0 ||
		o.Metrics["loss"] <= 0 || o.Seconds <= 0 || o.Versions["onnxruntime"] == "" || o.Versions["orchestrator"] != "test" {
		t.Fatalf("the outcome is %+v", o)
	}
	if p, ok := board.of(studyJob); !ok || p.Epochs != studyEpochs || p.Steps != studyEpochs*6 || p.Step < 1 {
		t.Errorf("the last progress is %+v", p)
	}
	s.checkObjects(o)
	if got := keysOf(t, s.store, plan.CheckpointPrefix(studyJob)); len(got) != 2 {
		t.Errorf("of the checkpoints there are left %q", got)
	}
	return bits(o)
}

// checkObjects holds the network and the predictions against the outcome.
func (s *study) checkObjects(o plan.Outcome) {
	s.Helper()
	read := func(name string) []byte {
		ref := o.Objects[name]
		r, _, err := s.store.Get(s.Context(), ref.Key)
		if err != nil {
			s.Fatal(err)
		}
		defer r.Close()
		data, err := io.ReadAll(r)
		sum := sha256.Sum256(data)
		if err != nil || hex.EncodeToString(sum[:]) != ref.Digest || int64(len(data)) != ref.Size {
			s.Fatalf("%s is not what the outcome says: %v", name, err)
		}
		return data
	}
	records, err := csv.NewReader(bytes.NewReader(read("predictions"))).ReadAll()
	if err != nil || len(records) != 1+len(s.spec.Test) || len(records[0]) != 3+len(o.Classes) {
		s.Fatalf("the predictions are %q, %v", records, err)
	}
	right := 0
	for _, r := range records[1:] {
		sum := 0.0
		for _, p := range r[3:] {
			x, err := strconv.ParseFloat(p, 32)
			if err != nil {
				s.Fatal(err)
			}
			sum += x
		}
		if sum < 0.9999 || sum > 1.0001 || !strings.Contains(r[0], r[1]) { // the folder is the class
			s.Errorf("a line of the predictions is %q", r)
		}
		if r[1] == r[2] {
			right++
		}
	}
	if got := float64(right) / float64(len(s.spec.Test)); got != o.Metrics["accuracy"] {
		s.Errorf("the predictions have the accuracy %v, the outcome %v", got, o.Metrics["accuracy"])
	}
	g, err := onnximport.Read(read("model"))
	if err != nil {
		s.Fatal(err)
	}
	var classes []string
	if err := json.Unmarshal([]byte(g.Metadata["classes"]), &classes); err != nil || !cmp.Equal(classes, o.Classes) {
		s.Errorf("the network's classes are %q, %v", g.Metadata["classes"], err)
	}
	var preprocessing plan.Preprocessing
	if err := json.Unmarshal([]byte(g.Metadata["preprocessing"]), &preprocessing); err != nil || !cmp.Equal(preprocessing, s.spec.Config.Preprocessing) {
		s.Errorf("the network's preprocessing is %q, %v", g.Metadata["preprocessing"], err)
	}
}

// The trainer process is killed with kill -9 in the middle of its epochs, of its
// checkpoints and of its results. The job ends with the same bits each time.
// The daily tier kills in, after and between the first, a later and the last of them.
func TestKilledJobEndsWithTheSameBits(t *testing.T) {
	testenv.Daily(t)
	cache := t.TempDir()
	want := undisturbed(t, cache)
	// Each epoch writes two objects, tensors and pointer; then come the results.
	for i, kill := range []string{
		"in 1", "later 2", "after 3", "in 8", "after 10", "after 1", "in 2", "in 3", "later 4", "later 6", "after 8", "in 9",
	} {
		t.Run(kill, func(t *testing.T) {
			if i >= 5 {
				testenv.Full(t, "kills at five other writes")
			}
			s := newStudy(t, cache)
			d := s.daemon(kill, nil)
			s.do(d, Retry)
			s.do(d, Completed)
			o := s.outcome()
			if o.Attempts != 2 {
				t.Errorf("%d attempts, want 2", o.Attempts)
			}
			if diff := cmp.Diff(want, bits(o)); diff != "" {
				t.Errorf("the outcome (-undisturbed +killed):\n%s", diff)
			}
		})
	}
}

// A device with a memory of its own: a graphics processor, though one in software. The
// job is killed there and goes on from its checkpoint, and it learns what it learns on
// the CPU.
func TestKilledJobOnAnotherDevice(t *testing.T) {
	testenv.Daily(t)
	orttest.Graphics(t) // which sets the environment
	cache := t.TempDir()
	s := newStudy(t, cache)
	s.do(s.daemon("", nil), Completed)
	want := s.outcome()
	s = newStudy(t, cache)
	s.spec.Config.Training.Deterministic = true // its provider has no pooling that tells where the largest was
	if err := artifacts.PutJSON(t.Context(), s.store, plan.SpecKey(studyJob), s.spec); err != nil {
		t.Fatal(err)
	}
	d := s.daemon("later 2", nil)
	d.slots.all[0].Slot = Slot{Device: "webgpu", About: "a graphics processor", Versions: map[string]string{"gpu": "SwiftShader"}}
	s.do(d, Retry)
	s.do(d, Completed)
	o := s.outcome()
	if o.Attempts != 2 || o.Device != "webgpu" || o.Versions["gpu"] != "SwiftShader" || len(o.History) != studyEpochs {
		t.Fatalf("the outcome is %+v", o)
	}
	for i, e := range o.History {
		if diff := math.Abs(e.TrainLoss - want.History[i].TrainLoss); !(diff < 1e-3) {
			t.Errorf("epoch %d: the loss is %v, on the CPU %v", e.Epoch, e.TrainLoss, want.History[i].TrainLoss)
		}
	}
	s.checkObjects(o)
}

// A job that was killed, or drained in the middle of an epoch, keeps the checkpoints of
// the same epochs as one that was not, and its bits do not depend on what is kept.
func TestKilledJobKeepsTheBestCheckpoints(t *testing.T) {
	cache := t.TempDir()
	want := undisturbed(t, cache)
	metric := plan.Metric{Name: "loss", Goal: "minimize"}
	var kept []int
	for _, kill := range []string{"", "later 4", "after 8", "after 9"} {
		s := newStudy(t, cache)
		s.spec.Checkpoints.SaveTrialBest, s.spec.Metric = 2, metric
		if err := artifacts.PutJSON(t.Context(), s.store, plan.SpecKey(studyJob), s.spec); err != nil {
			t.Fatal(err)
		}
		d := s.daemon(kill, nil)
		if kill != "" {
			s.do(d, Retry)
		}
		s.do(d, Completed)
		o := s.outcome()
		if diff := cmp.Diff(want, bits(o)); diff != "" {
			t.Errorf("killed %q: the outcome (-keeping one +keeping more):\n%s", kill, diff)
		}
		all, _, err := listCheckpoints(t.Context(), s.store, studyJob)
		if err != nil {
			t.Fatal(err)
		}
		var epochs []int
		for _, id := range all {
			epochs = append(epochs, id.Epoch)
		}
		slices.SortFunc(o.History, func(a, b plan.Epoch) int { return compare.Compare(a.Metrics["loss"], b.Metrics["loss"]) })
		if kill == "" {
			kept = epochs
		}
		if !slices.Contains(epochs, o.History[0].Epoch) || !slices.Contains(epochs, o.History[1].Epoch) || !slices.Contains(epochs, studyEpochs) || !slices.Equal(epochs, kept) {
			t.Errorf("killed %q: checkpoints of epochs %v are kept, %v without; the best are %d and %d", kill, epochs, kept, o.History[0].Epoch, o.History[1].Epoch)
		}
	}
}

// The newest checkpoint is damaged while nobody looks.
func TestDamagedCheckpointEndsWithTheSameBits(t *testing.T) {
	cache := t.TempDir()
	want := undisturbed(t, cache)
	s := newStudy(t, cache)
	d := s.daemon("after 6", nil)
	s.do(d, Retry)
	names, _, err := listCheckpoints(t.Context(), s.store, studyJob)
	if err != nil || len(names) < 2 {
		t.Fatalf("the checkpoints are %v, %v", names, err)
	}
	key := names[len(names)-1].Key() + plan.TensorsSuffix
	info, err := s.store.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	s.put(key, make([]byte, info.Size))
	s.do(d, Completed)
	if diff := cmp.Diff(want, bits(s.outcome())); diff != "" {
		t.Errorf("the outcome (-undisturbed +damaged):\n%s", diff)
	}
}

// A drained job writes a checkpoint in the middle of an epoch and goes on from
// there with another daemon.
func TestDrainedJobEndsWithTheSameBits(t *testing.T) {
	cache := t.TempDir()
	want := undisturbed(t, cache)
	s := newStudy(t, cache)
	var at []string
	for range 3 {
		board := &fakeBoard{}
		d := s.daemon(holdUntilStop, board)
		ended := make(chan End, 1)
		go func() {
			end, _ := d.Do(t.Context(), Task{Sweep: "sweep", Job: studyJob})
			ended <- end
		}()
		eventually(t, "the training began", func() bool { _, began := board.of(studyJob); return began })
		d.Stop()
		if end := <-ended; end != Interrupted {
			t.Fatalf("ended %s", end)
		}
		names, _, err := listCheckpoints(t.Context(), s.store, studyJob)
		if err != nil {
			t.Fatal(err)
		}
		at = append(at, filepath.Base(names[len(names)-1].Key()))
	}
	if at[0] >= at[1] || at[1] >= at[2] || !strings.HasPrefix(at[0], "000000-0000000") {
		t.Errorf("the job was interrupted at %q: not in the middle of an epoch, or without progress", at)
	}
	s.do(s.daemon("", nil), Completed)
	if diff := cmp.Diff(want, bits(s.outcome())); diff != "" {
		t.Errorf("the outcome (-undisturbed +drained):\n%s", diff)
	}
}

func TestDivergedJobIsGivenUp(t *testing.T) {
	s := newStudy(t, t.TempDir())
	s.spec.Config.Training.LearningRate = 1e30
	if err := artifacts.PutJSON(t.Context(), s.store, plan.SpecKey(studyJob), s.spec); err != nil {
		t.Fatal(err)
	}
	end, err := s.daemon("", nil).Do(t.Context(), Task{Sweep: "sweep", Job: studyJob})
	if end != Failed || !strings.Contains(fmt.Sprint(err), "diverged") {
		t.Errorf("ended %s: %v", end, err)
	}
	var given *GivenUpError
	if !errors.As(err, &given) || !strings.Contains(given.Hint(), "learning_rate") {
		t.Errorf("it is not said what helps: %v", err)
	}
}
