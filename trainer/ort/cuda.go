package ort

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
)

// cudaProvider is the file that the library loads for CUDA, from its own folder.
const cudaProvider = "libonnxruntime_providers_cuda.so"

// ProvidesCUDA tells whether a library came with its part for CUDA, which is a file
// beside it.
func ProvidesCUDA(library string) bool {
	_, err := os.Stat(providerBeside(library))
	return err == nil
}

func providerBeside(library string) string { return filepath.Join(filepath.Dir(library), cudaProvider) }

// leastCuDNN is the version of cuDNN that providers of APIVersion are built for.
const leastCuDNN = "9"

// CUDA says what a machine has for CUDA, as far as the library's provider needs it.
type CUDA struct {
	Provider string // path of the provider's file
	Toolkit  string // major version of CUDA that it is built for, such as "13"
	CuDNN    string // major version of cuDNN, likewise
	Driver   string // newest version of CUDA that the driver can serve, such as "13.0"
	Devices  int    // that this process sees
}

// CUDA looks at what is there for CUDA beside the library, without opening a
// session. What is wrong with it is the error: a *LibraryError or a *DeviceError.
func (r *Runtime) CUDA() (CUDA, error) { return inspectCUDA(r.lib) }

func checkCUDA(lib *library) error {
	_, err := inspectCUDA(lib)
	return err
}

func inspectCUDA(lib *library) (CUDA, error) {
	if runtime.GOOS != "linux" {
		return CUDA{}, nil // the library finds its parts by other rules, and says what it misses
	}
	c := CUDA{Provider: providerBeside(lib.path)}
	if !ProvidesCUDA(lib.path) {
		return c, &DeviceError{Device: "cuda", Advice: adviceFor("cuda"),
			Reason: fmt.Sprintf("%s is missing: the ONNX Runtime %s beside it was installed without CUDA", c.Provider, lib.version)}
	}
	if err := inspectFile(c.Provider); err != nil {
		return c, err
	}
	needed, err := importedLibraries(c.Provider)
	if err != nil {
		return c, &LibraryError{Path: c.Provider, Reason: err.Error()}
	}
	c.Toolkit, c.CuDNN = majorOf(needed, "libcudart", "libcublasLt", "libcublas"), majorOf(needed, "libcudnn")
	if c.CuDNN == "" {
		// Some releases open it only when they compute, and do without it at the price
		// of slow convolutions, or of none.
		c.CuDNN = leastCuDNN
		needed = append(needed, "libcudnn.so."+leastCuDNN)
	}
	preload(filepath.Dir(lib.path))
	if failed := missing(needed); len(failed) > 0 {
		return c, missingError(c, failed)
	}
	var failure string
	c.Driver, c.Devices, failure = cudaDriver(c.Toolkit)
	if failure != "" {
		return c, &DeviceError{Device: "cuda", Reason: failure, Advice: driverAdvice}
	}
	return c, nil
}

const driverAdvice = "install the NVIDIA driver of this machine's card, and see that `nvidia-smi` lists it; in a container, pass the devices on (docker run --gpus all)"

// importedLibraries are the libraries that a shared object says it needs.
func importedLibraries(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

var soName = regexp.MustCompile(`^(lib[\w+-]+)\.so\.(\d+)`)

// majorOf is the major version of the first of some libraries that is among the
// names; "" where none is.
func majorOf(names []string, libraries ...string) string {
	for _, want := range libraries {
		for _, name := range names {
			if m := soName.FindStringSubmatch(name); m != nil && m[1] == want {
				return m[2]
			}
		}
	}
	return ""
}

// runtimeLibraries are CUDA's libraries and cuDNN in an order in which each finds
// those that it needs. cuDNN opens its own parts, from beside itself.
var runtimeLibraries = []string{
	"libcudart.so.*", "libnvrtc-builtins.so.*", "libnvrtc.so.*", "libnvJitLink.so.*",
	"libcublasLt.so.*", "libcublas.so.*", "libcurand.so.*", "libcufft.so.*", "libcudnn.so.*",
}

// preload loads those of CUDA's libraries that are in the folder, where the
// provider would not look for them: once they are loaded, it takes them from there.
func preload(dir string) {
	for _, pattern := range runtimeLibraries {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		for _, path := range found {
			if err == nil {
				dlopenGlobal(path) // what fails here is missed by name
			}
		}
	}
}

// missing are those of CUDA's libraries among the names that cannot be loaded. The
// driver's own library is not one of them: cudaDriver asks it itself.
func missing(names []string) []failedLoad {
	var failed []failedLoad
	for _, name := range names {
		if strings.HasPrefix(name, "libcuda.so") || !strings.HasPrefix(name, "libcu") && !strings.HasPrefix(name, "libnv") {
			continue
		}
		if ok, reason := dlopenGlobal(name); !ok {
			failed = append(failed, failedLoad{name, reason})
		}
	}
	return failed
}

type failedLoad struct{ name, reason string }

// missingError names the libraries that the provider needs and that are not there,
// and what they belong to.
func missingError(c CUDA, failed []failedLoad) error {
	var parts []string
	for _, m := range failed {
		text := m.name
		if !strings.Contains(m.reason, "No such file") {
			text += " (" + m.reason + ")"
		}
		parts = append(parts, text)
	}
	needs := "CUDA " + c.Toolkit + " and cuDNN " + c.CuDNN
	return &DeviceError{Device: "cuda",
		Reason: fmt.Sprintf("%s needs %s, and these of their libraries cannot be loaded: %s", c.Provider, needs, strings.Join(parts, ", ")),
		Advice: "`make setup-cuda WITH_CUDA=1` installs them beside the library; or install " + needs + " and name their folders in LD_LIBRARY_PATH"}
}

// cudaDriver asks the driver what it can serve. failure says what is wrong with it
// for a provider that is built for a version of CUDA.
func cudaDriver(toolkit string) (version string, devices int, failure string) {
	d := queryDriver()
	version = fmt.Sprintf("%d.%d", d.version/1000, d.version%1000/10)
	wanted, _ := strconv.Atoi(toolkit) // 0 where it is not known
	switch {
	case !d.found:
		return "", 0, "the NVIDIA driver is not there (libcuda.so.1: " + d.reason + ")"
	case d.code == errNoDevice || d.code == 0 && d.devices == 0:
		reason := "the NVIDIA driver is there, but shows this process no device"
		if shown, set := os.LookupEnv("CUDA_VISIBLE_DEVICES"); set {
			reason += fmt.Sprintf(" (CUDA_VISIBLE_DEVICES=%q)", shown)
		}
		return version, 0, reason
	case d.code != 0:
		return version, 0, fmt.Sprintf("the NVIDIA driver cannot be used: error %d of cuInit", d.code)
	case d.version/1000 < wanted:
		return version, d.devices, fmt.Sprintf("the NVIDIA driver serves CUDA up to %s, and the library is built for CUDA %s", version, toolkit)
	}
	return version, d.devices, ""
}
