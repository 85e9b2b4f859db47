package device

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	a100 = GPU{Number: 0, Index: 0, UUID: "GPU-aaaa1111-0000-0000-0000-000000000000", Name: "NVIDIA A100-SXM4-40GB", Memory: 40 << 30,
		Driver: "535.54.03", CUDA: "12.2", Capability: "8.0"}
	rtx = GPU{Number: 1, Index: 1, UUID: "GPU-bbbb2222-0000-0000-0000-000000000000", Name: "NVIDIA GeForce RTX 3090", Memory: 24 << 30,
		Driver: "535.54.03", CUDA: "12.2", Capability: "8.6"}
)

func TestFind(t *testing.T) {
	const list = `GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111)
  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 2g.10gb     Device  1: (UUID: MIG-GPU-aaaa1111/7/0)
GPU 1: NVIDIA GeForce RTX 3090 (UUID: GPU-bbbb2222)`
	split := strings.Replace(twoGPUs, "8.0, Disabled", "8.0, Enabled", 1)
	half, tenth, second := a100, a100, rtx
	half.UUID, half.Name, half.Memory = "MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "NVIDIA A100-SXM4-40GB MIG 3g.20gb", 0
	tenth.Number, tenth.UUID, tenth.Name, tenth.Memory = 1, "MIG-GPU-aaaa1111/7/0", "NVIDIA A100-SXM4-40GB MIG 2g.10gb", 0
	second.Number = 2
	only := rtx
	only.Number = 0
	old := GPU{Name: "Tesla K80", UUID: "GPU-cccc", Memory: 11441 << 20, Driver: "470.1"}
	for name, test := range map[string]struct {
		script string
		want   []GPU
		notes  []string
		looked string
	}{
		"two":      {script: answers(twoGPUs, "", compute), want: []GPU{a100, rtx}},
		"none":     {script: "echo 'No devices were found'", looked: "nvidia-smi lists none"},
		"none, 6":  {script: "echo 'No devices were found'; exit 6", looked: "nvidia-smi lists none"},
		"silence":  {script: "true", looked: "nvidia-smi lists none"},
		"split up": {script: answers(split, list, compute), want: []GPU{half, tenth, second}},
		"split, and nothing made of it": {script: answers(split, "GPU 0: NVIDIA A100\nGPU 1: RTX", compute), want: []GPU{only},
			notes: []string{"GPU 0 (NVIDIA A100-SXM4-40GB) is in MIG mode and has no instance: nothing can use it until one is made (nvidia-smi mig -cgi) or the mode is off"}},
		"one is lost": {script: answers("Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost.\n"+strings.Split(twoGPUs, "\n")[2], "", compute),
			want: []GPU{only}, notes: []string{"nvidia-smi says: Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost."}},
		"an old driver": {script: `case "$*" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
*--query*) echo '0, GPU-cccc, Tesla K80, 11441, 470.1' ;;
*) exit 9 ;;
esac`, want: []GPU{old}},
		"nothing known": {script: answers("0, [Unknown Error], [N/A], [N/A], ERR!, [N/A], [N/A]", "", ""), want: []GPU{{Name: "NVIDIA GPU"}}},
	} {
		t.Run(name, func(t *testing.T) {
			machine(t, test.script)
			found, err := find(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Found{GPUs: test.want, Notes: test.notes, Looked: test.looked}, found, cmp.Transformer("none", func(list []string) int { return len(list) }), cmp.Comparer(func(a, b []GPU) bool {
				return len(a) == len(b) && cmp.Equal(append([]GPU{}, a...), append([]GPU{}, b...))
			})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if strings.Join(found.Notes, "\n") != strings.Join(test.notes, "\n") {
				t.Errorf("notes %q, want %q", found.Notes, test.notes)
			}
		})
	}
}

func TestFindFails(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"no driver":       {"echo \"NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\"; exit 9", "couldn't communicate with the NVIDIA driver"},
		"two drivers":     {"echo; echo 'Failed to initialize NVML: Driver/library version mismatch' >&2; exit 18", "Driver/library version mismatch"},
		"a word too few":  {"exit 3", "exit status 3"},
		"it crashes":      {"kill -SEGV $$", "signal: segmentation fault"},
		"it never ends":   {"exec sleep 60", "does not answer"},
		"no program":      {"", ""},
		"lists only once": {strings.Replace(answers(strings.Replace(twoGPUs, "Disabled", "Enabled", 1), "", ""), "-L) cat", "-L) echo broken; exit 5; cat", 1), "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			machine(t, test.script)
			if name == "no program" { // no machine of another kind either
				if err := os.WriteFile(filepath.Join(strings.Split(os.Getenv("PATH"), ":")[0], "nvidia-smi"), []byte("\x7fELF"), 0o755); err != nil {
					t.Fatal(err)
				}
				test.want = "exec format error"
			}
			limit := smiTimeout
			if name == "it never ends" {
				limit = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			found, err := find(ctx, t.TempDir())
			var failed *SMIError
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), test.want) || failed.Hint() == "" || failed.ExitCode() != 2 {
				t.Errorf("found %v, error %v, want one with %q", found, err, test.want)
			}
		})
	}
}

// Without nvidia-smi there is /proc; what /dev has no file for belongs to others.
func TestFindWithoutSMI(t *testing.T) {
	root := t.TempDir()
	for file, text := range map[string]string{
		"proc/driver/nvidia/version":                       "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\nGCC version:  gcc 12\n",
		"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 80\nGPU UUID: \t GPU-aaaa1111\nDevice Minor: \t 0\n",
		"proc/driver/nvidia/gpus/0000:02:00.0/information": "Model: \t\t NVIDIA T4\nGPU UUID: \t GPU-dddd\nDevice Minor: \t 1\n",
		"proc/driver/nvidia/gpus/0000:03:00.0/information": "GPU UUID: \t GPU-????????-????-????-????-????????????\nDevice Minor: \t 2\n",
		"dev/nvidia0": "", "dev/nvidia2": "",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv(visibleEnv, "0,1")
	found, err := find(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	want := []GPU{{Name: "NVIDIA A100-SXM4-40GB", UUID: "GPU-aaaa1111", Driver: "535.54.03"}, {Number: 1, Index: 1, Name: "NVIDIA GPU", Driver: "535.54.03"}}
	if diff := cmp.Diff(want, found.GPUs); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got := strings.Join(append(found.GPUs[0].Env(), found.GPUs[1].Env()...), " "); got != "CUDA_VISIBLE_DEVICES=GPU-aaaa1111 CUDA_DEVICE_ORDER=PCI_BUS_ID CUDA_VISIBLE_DEVICES=1 CUDA_DEVICE_ORDER=PCI_BUS_ID" {
		t.Errorf("environments %s", got)
	}
	none, err := find(t.Context(), t.TempDir())
	if err != nil || len(none.GPUs) > 0 || !strings.Contains(none.String(), "nvidia-smi is not on the PATH") {
		t.Errorf("an empty machine has %v, %v", none, err)
	}
}

// What a scheduler has set for the daemon says which devices are its own, in the
// order in which it counts them.
func TestVisible(t *testing.T) {
	machine(t, answers(twoGPUs, "", compute))
	for list, want := range map[string]string{
		"1":                "cuda:0 (NVIDIA GeForce RTX 3090, 24.0 GiB)",
		"1,0":              "cuda:0 (NVIDIA GeForce RTX 3090, 24.0 GiB), cuda:1 (NVIDIA A100-SXM4-40GB, 40.0 GiB)",
		"GPU-bbbb":         "cuda:0 (NVIDIA GeForce RTX 3090, 24.0 GiB)",
		" GPU-bbbb2222, 0": "cuda:0 (NVIDIA GeForce RTX 3090, 24.0 GiB), cuda:1 (NVIDIA A100-SXM4-40GB, 40.0 GiB)",
		"0,-1,1":           "cuda:0 (NVIDIA A100-SXM4-40GB, 40.0 GiB)",
		"0,0":              "cuda:0 (NVIDIA A100-SXM4-40GB, 40.0 GiB)",
		"7":                "no CUDA device (CUDA_VISIBLE_DEVICES=7 hides 2 of 2 CUDA devices)",
		"":                 "no CUDA device (CUDA_VISIBLE_DEVICES= hides 2 of 2 CUDA devices)",
		"NoDevFiles":       "no CUDA device (CUDA_VISIBLE_DEVICES=NoDevFiles hides 2 of 2 CUDA devices)",
	} {
		t.Setenv(visibleEnv, list)
		found, err := Find(t.Context())
		if err != nil || found.String() != want {
			t.Errorf("%q: %v, %v; want %s", list, found, err, want)
		}
	}
}

func TestParseChoice(t *testing.T) {
	for text, want := range map[string]Choice{
		"auto":                 {Auto: true},
		"cpu":                  {CPU: true},
		"cuda":                 {CUDA: true},
		"cuda, cpu":            {CUDA: true, CPU: true},
		"cuda:1,cuda:0,cpu":    {CPU: true, Some: []string{"1", "0"}},
		"cuda:GPU-1,cuda:MIG-": {Some: []string{"GPU-1", "MIG-"}},
	} {
		got, err := ParseChoice(text)
		want.text, want.asker = text, "--devices "+text
		if err != nil || !cmp.Equal(want, got, cmp.AllowUnexported(Choice{})) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":              `"" is no device`,
		"gpu":           `gpu: "gpu" is no device`,
		"cuda:":         `"cuda:" is no device`,
		"cuda:-1":       `"cuda:-1" is no device`,
		"cuda:01":       `"cuda:01" is no device`,
		"cuda:0,":       `"" is no device`,
		"cpu:0":         `"cpu:0" is no device`,
		"auto,cpu":      "stands alone",
		"cpu,cpu":       "cpu is there twice",
		"cuda:0,cuda:0": "cuda:0 is there twice",
		"cuda,cuda:3":   "cuda:3 is there twice",
	} {
		_, err := ParseChoice(text)
		var wrong *ChoiceError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), want) || wrong.Hint() == "" || wrong.ExitCode() != 2 {
			t.Errorf("%q: error %v, want one with %q", text, err, want)
		}
	}
}

func TestPick(t *testing.T) {
	two := Found{GPUs: []GPU{a100, rtx}}
	for _, test := range []struct {
		choice string
		found  Found
		want   string // the devices, or the error
	}{
		{"auto", two, ""},
		{"cpu", two, ""},
		{"cuda", two, "cuda:0 cuda:1"},
		{"cuda:1,cpu,cuda:0", two, "cuda:1 cuda:0"},
		{"cuda:GPU-bbbb", two, "cuda:1"},
		{"cuda:7", two, "--devices cuda:7: this machine has no cuda:7; it has cuda:0 (NVIDIA A100-SXM4-40GB, 40.0 GiB), cuda:1 (NVIDIA GeForce RTX 3090, 24.0 GiB)"},
		{"cuda:GPU-", two, "--devices cuda:GPU-: cuda:GPU- could be any of 2 devices"},
		{"cuda:0,cuda:GPU-aaaa", two, "--devices cuda:0,cuda:GPU-aaaa: cuda:GPU-aaaa is there twice"},
		{"cuda", Found{Looked: "nvidia-smi lists none"}, "--devices cuda: this machine has no CUDA device: nvidia-smi lists none"},
	} {
		c, err := ParseChoice(test.choice)
		if err != nil {
			t.Fatal(err)
		}
		picked, err := c.Pick(test.found)
		var names []string
		for _, g := range picked {
			name, _, _ := strings.Cut(g.String(), " ")
			names = append(names, name)
		}
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.choice, got, test.want)
		}
	}
}

func TestLoaded(t *testing.T) {
	const maps = `7f0000000000-7f0000001000 r-xp 00000000 08:01 11 /usr/local/cuda-12.4/targets/x86_64-linux/lib/libcudart.so.12.4.127
7f0000001000-7f0000002000 r-xp 00000000 08:01 12                         /usr/lib/x86_64-linux-gnu/libcudnn.so.9
7f0000002000-7f0000003000 r-xp 00000000 08:01 13                         /usr/lib/x86_64-linux-gnu/libcudnn_graph.so.9.1.0
7f0000003000-7f0000004000 rw-p 00000000 00:00 0
`
	if diff := cmp.Diff(map[string]string{"cuda": "12.4.127", "cudnn": "9"}, loaded(maps)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if here := Loaded(); len(here) > 0 {
		t.Errorf("a test has loaded %v", here)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(twoGPUs)
	f.Add("GPU 0: NVIDIA A100 (UUID: GPU-1)\n  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef)\n")
	f.Add("0, \"a\", , , , ,\n99999999999999999999, x")
	f.Add(compute)
	f.Fuzz(func(t *testing.T, text string) {
		lines, strange := parseQuery(text, len(basic)+len(newer))
		for _, line := range lines {
			if g, _ := parseGPU(line); g.Index < 0 || g.Name == "" || g.Memory < 0 {
				t.Errorf("%q is %+v", line, g)
			}
		}
		if rows := strings.Count(text, "\n") + 1; len(lines)+len(strange) > rows {
			t.Errorf("%d GPUs and %d strange lines of %d", len(lines), len(strange), rows)
		}
		for gpu, instances := range parseInstances(text) {
			for _, one := range instances {
				if gpu < 0 || !isUUID(one.uuid) || one.profile == "" {
					t.Errorf("instance %+v of %d", one, gpu)
				}
			}
		}
		driverVersion(text)
		if c, err := ParseChoice(text); err == nil && !c.Auto && !c.CPU && !c.WantsCUDA() {
			t.Errorf("%q chooses nothing", text)
		}
	})
}
