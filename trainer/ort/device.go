package ort

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	onnxruntime "github.com/yalue/onnxruntime_go"
)

// Tuning is how a device that is no processor is used. The zero value is the
// default of each.
type Tuning struct {
	// MemoryLimit is what an arena may take of the device's memory, in bytes; 0: all
	// there is. Every graph has an arena of its own, and the state of a job has one.
	MemoryLimit int64
	// Arena is how the arena grows: "same_as_requested", the default, takes what is
	// asked for, "next_power_of_two" doubles, which leaves less for other programs.
	Arena string
	// CuDNNSearch is how cuDNN's algorithm for a convolution is chosen: "heuristic",
	// the default, and "default" by its shape, "exhaustive" by trying all when a graph
	// is run first, which may choose another one in each process.
	CuDNNSearch string
	// TF32 allows products of float32 with ten bits of mantissa, on tensor cores.
	TF32 bool
	// Deterministic asks for kernels whose sums are in a fixed order.
	Deterministic bool
	// Strict makes it an error that the provider leaves a node to the CPU.
	Strict bool
}

// Devices are the words for what Options.Device may be, "cpu" first.
var Devices = []string{"cpu", "cuda", "tensorrt", "migraphx", "rocm", "openvino", "coreml", "webgpu", "directml"}

// providerNames are what the library calls the devices' execution providers.
var providerNames = map[string]string{
	"cpu":      "CPUExecutionProvider",
	"cuda":     "CUDAExecutionProvider",
	"tensorrt": "TensorrtExecutionProvider",
	"migraphx": "MIGraphXExecutionProvider",
	"rocm":     "ROCMExecutionProvider",
	"openvino": "OpenVINOExecutionProvider",
	"coreml":   "CoreMLExecutionProvider",
	"webgpu":   "WebGpuExecutionProvider",
	"directml": "DmlExecutionProvider",
}

// memoryNames are what the library calls the memories of those devices that a
// graph's inputs and outputs may stay in from one run to the next.
var memoryNames = map[string]string{"cpu": "Cpu", "cuda": "Cuda", "tensorrt": "Cuda", "webgpu": "WebGPU_Buffer"}

// pinnedNames are what it calls the host's memory that such a device reads without
// another copy.
var pinnedNames = map[string]string{"cuda": "CudaPinned", "tensorrt": "CudaPinned"}

// separate are the devices whose kernels must not be given one buffer to read and
// to write.
var separate = map[string]bool{"webgpu": true}

// DeviceOf is the device of an execution provider, as Runtime.Providers names it;
// "" where this package has no word for it.
func DeviceOf(provider string) string {
	for device, name := range providerNames {
		if name == provider {
			return device
		}
	}
	return ""
}

// ProviderOf is what the library calls the execution provider of one of Devices.
func ProviderOf(device string) string { return providerNames[device] }

// DeviceError says why a device cannot be used, where the library itself is in
// order.
type DeviceError struct {
	Device string
	Reason string
	Advice string // what to try
}

// Error names the device and what is wrong.
func (e *DeviceError) Error() string { return fmt.Sprintf("device %s: %s", e.Device, e.Reason) }

// Hint says how to repair it.
func (e *DeviceError) Hint() string { return e.Advice }

// ExitCode is that of a wrong configuration.
func (e *DeviceError) ExitCode() int { return 2 }

// checkDevice makes sure that the library has the device's provider, and of CUDA
// that all it needs is there: the library's own answers to that are hard to read.
func checkDevice(lib *library, device string, t Tuning) error {
	if err := t.Check(); err != nil {
		return err
	}
	if device == "cpu" {
		return nil
	}
	name, known := providerNames[device]
	switch {
	case !known:
		return &DeviceError{Device: device, Reason: "there is no such device", Advice: "use one of " + strings.Join(Devices, ", ")}
	case !slices.Contains(lib.providers, name):
		return &DeviceError{Device: device,
			Reason: fmt.Sprintf("the ONNX Runtime library %s was built without it: it has %s", lib.path, strings.Join(lib.providers, ", ")),
			Advice: adviceFor(device)}
	case device == "cuda":
		return checkCUDA(lib)
	}
	return nil
}

func adviceFor(device string) string {
	if device == "cuda" {
		return "`make setup-cuda` installs a library with CUDA; name another with --onnxruntime-library or " + LibraryEnv
	}
	return "name a library that was built with it with --onnxruntime-library or " + LibraryEnv
}

// The values of Tuning's words; the first is the default.
var (
	arenas   = []string{"same_as_requested", "next_power_of_two"}
	searches = []string{"heuristic", "exhaustive", "default"}
)

// Check says what is wrong with it.
func (t Tuning) Check() error {
	for _, w := range []struct {
		what, word string
		words      []string
	}{{"arena", t.Arena, arenas}, {"cudnn search", t.CuDNNSearch, searches}} {
		if w.word != "" && !slices.Contains(w.words, w.word) {
			return fmt.Errorf("%s %q: use one of %s", w.what, w.word, strings.Join(w.words, ", "))
		}
	}
	if t.MemoryLimit < 0 {
		return fmt.Errorf("a memory limit cannot be %d bytes", t.MemoryLimit)
	}
	return nil
}

// cudaOptions are the CUDA provider's, as its documentation names them.
func (t Tuning) cudaOptions() map[string]string {
	bit := map[bool]string{false: "0", true: "1"}
	o := map[string]string{
		"device_id": "0", // the others are not shown to this process
		// "k" is how the provider writes the constant's prefix.
		"arena_extend_strategy":     map[string]string{"same_as_requested": "kSameAsRequested", "next_power_of_two": "kNextPowerOfTwo"}[cmp.Or(t.Arena, arenas[0])],
		"cudnn_conv_algo_search":    strings.ToUpper(cmp.Or(t.CuDNNSearch, searches[0])),
		"use_tf32":                  bit[t.TF32],
		"do_copy_in_default_stream": "1",
	}
	if t.MemoryLimit > 0 {
		o["gpu_mem_limit"] = strconv.FormatInt(t.MemoryLimit, 10)
	}
	return o
}

// appendProvider has a session try the device before the CPU, which is always
// there for what is left.
func appendProvider(o *onnxruntime.SessionOptions, device string, t Tuning) (err error) {
	switch device {
	case "cpu":
		return nil
	case "cuda":
		return appendCUDA(o, t.cudaOptions())
	case "tensorrt":
		return appendTensorRT(o)
	case "openvino":
		return o.AppendExecutionProviderOpenVINO(map[string]string{})
	case "directml":
		return o.AppendExecutionProviderDirectML(0)
	case "coreml":
		return o.AppendExecutionProviderCoreMLV2(map[string]string{})
	}
	return o.AppendExecutionProvider(shortNames[device], nil)
}

// shortNames are those that the library's general function for appending
// providers takes.
var shortNames = map[string]string{"webgpu": "WebGPU", "migraphx": "MIGraphX", "rocm": "ROCM"}

func appendCUDA(o *onnxruntime.SessionOptions, options map[string]string) error {
	cuda, err := onnxruntime.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer func() { _ = cuda.Destroy() }() // only fails where there is nothing to free
	if err := cuda.Update(options); err != nil {
		return err
	}
	return o.AppendExecutionProviderCUDA(cuda)
}

func appendTensorRT(o *onnxruntime.SessionOptions) error {
	rt, err := onnxruntime.NewTensorRTProviderOptions()
	if err != nil {
		return err
	}
	defer func() { _ = rt.Destroy() }() // only fails where there is nothing to free
	return o.AppendExecutionProviderTensorRT(rt)
}
