package ort

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// object builds a shared library of a name in dir, that needs others there.
func object(t *testing.T, dir, name, source string, needs ...string) string {
	t.Helper()
	in, out := compiled(t, source), filepath.Join(dir, name)
	args := []string{"-shared", "-o", out, "-Wl,-soname," + name, "-Wl,--no-as-needed", in}
	for _, n := range needs {
		args = append(args, filepath.Join(dir, n))
	}
	if msg, err := exec.Command("cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s", err, msg)
	}
	return out
}

// driverThat has queryDriver ask a driver with these answers.
func driverThat(t *testing.T, code, version, devices string) {
	t.Helper()
	old := driverLibrary
	t.Cleanup(func() { driverLibrary = old })
	driverLibrary = compiled(t, `
int cuInit(unsigned flags) { return `+code+`; }
int cuDriverGetVersion(int *v) { *v = `+version+`; return 0; }
int cuDeviceGetCount(int *n) { *n = `+devices+`; return 0; }`)
}

// What can be missing for CUDA, one thing after the other: the names are of versions
// that no machine has.
func TestWhatCUDAMisses(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	lib := &library{path: filepath.Join(dir, "libonnxruntime.so.1"), version: "1.99.0"}
	const empty = "int nothing;"
	check := func(name, want, advice string) {
		t.Helper()
		_, err := inspectCUDA(lib)
		var bad *DeviceError
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) || !strings.Contains(bad.Hint(), advice) || bad.ExitCode() != 2 {
			t.Errorf("%s: %v\nhint %v; want %q and the advice %q", name, err, bad, want, advice)
		}
	}
	check("a library without CUDA", cudaProvider+" is missing: the ONNX Runtime 1.99.0 beside it was installed without CUDA", "make setup-cuda")

	// Built beside the libraries that it needs, and put where they are not.
	object(t, elsewhere, "libcudart.so.97", empty)
	object(t, elsewhere, "libcudnn.so.98", empty)
	provider := object(t, elsewhere, cudaProvider, empty, "libcudart.so.97", "libcudnn.so.98")
	copied(t, provider, dir)
	check("nothing of CUDA", "needs CUDA 97 and cuDNN 98, and these of their libraries cannot be loaded: libcudart.so.97, libcudnn.so.98", "WITH_CUDA")

	copied(t, filepath.Join(elsewhere, "libcudart.so.97"), dir)
	check("no cuDNN", "cannot be loaded: libcudnn.so.98", "cuDNN 98")

	copied(t, filepath.Join(elsewhere, "libcudnn.so.98"), dir)
	driverLibrary = filepath.Join(dir, "nothing.so")
	t.Cleanup(func() { driverLibrary = "libcuda.so.1" })
	check("no driver", "the NVIDIA driver is not there", "nvidia-smi")

	t.Setenv("CUDA_VISIBLE_DEVICES", "7")
	driverThat(t, "100", "97010", "0")
	check("no device", `shows this process no device (CUDA_VISIBLE_DEVICES="7")`, "--gpus all")
	driverThat(t, "0", "97010", "0")
	check("no device among them", "shows this process no device", "--gpus all")
	driverThat(t, "999", "97010", "0")
	check("a broken driver", "error 999 of cuInit", "nvidia-smi")
	driverThat(t, "0", "96020", "1")
	check("an old driver", "serves CUDA up to 96.2, and the library is built for CUDA 97", "nvidia-smi")
	driverThat(t, "0", "97010", "2")
	c, err := inspectCUDA(lib)
	if want := (CUDA{Provider: filepath.Join(dir, cudaProvider), Toolkit: "97", CuDNN: "98", Driver: "97.1", Devices: 2}); err != nil || c != want {
		t.Errorf("with everything there: %+v, %v; want %+v", c, err, want)
	}
}

func copied(t *testing.T, path, dir string) {
	t.Helper()
	if msg, err := exec.Command("cp", path, dir).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, msg)
	}
}

func TestTuning(t *testing.T) {
	o := Tuning{MemoryLimit: 1 << 30, CuDNNSearch: "exhaustive", TF32: true}.cudaOptions()
	want := map[string]string{"device_id": "0", "arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "EXHAUSTIVE",
		"use_tf32": "1", "do_copy_in_default_stream": "1", "gpu_mem_limit": "1073741824"}
	for key, value := range want {
		if o[key] != value {
			t.Errorf("%s is %q, want %q", key, o[key], value)
		}
	}
	if len(o) != len(want) {
		t.Errorf("options %v, want %v", o, want)
	}
	for name, tuning := range map[string]Tuning{"arena": {Arena: "big"}, "search": {CuDNNSearch: "random"}, "limit": {MemoryLimit: -1}} {
		if err := checkDevice(&library{}, "cpu", tuning); err == nil || !strings.Contains(err.Error(), name) && name != "limit" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDevicesThatTheLibraryLacks(t *testing.T) {
	lib := &library{path: "/lib/libonnxruntime.so", providers: []string{"CPUExecutionProvider"}}
	for device, want := range map[string]string{
		"cuda": "was built without it: it has CPUExecutionProvider", "openvino": "was built without it", "tpu": "there is no such device",
	} {
		if err := checkDevice(lib, device, Tuning{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", device, err, want)
		}
	}
	if got := DeviceOf("CUDAExecutionProvider"); got != "cuda" || DeviceOf("XnnpackExecutionProvider") != "" {
		t.Errorf("the device of CUDAExecutionProvider is %q", got)
	}
}
