package ort

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
)

// LibraryEnv is the environment variable that names the library.
const LibraryEnv = "ORCHESTRATOR_ONNXRUNTIME_LIBRARY"

// Where `make setup` and `make setup-cuda` put the library, below the repository's
// root.
var (
	installed     = filepath.Join("build", "onnxruntime", "lib")
	installedCUDA = filepath.Join("build", "onnxruntime-cuda", "lib")
)

// FindLibrary returns the path of the ONNX Runtime library, or a bare name that
// the dynamic linker resolves. An explicit path (a file or the folder it is in)
// is not second-guessed: it must exist. Where it is empty, these are tried in
// order: $ORCHESTRATOR_ONNXRUNTIME_LIBRARY (as strict as explicit), the folders
// lib, ../lib and ../build/onnxruntime/lib beside the executable,
// build/onnxruntime/lib under the working directory and each of its parents, and
// the dynamic linker's own search path. Folders build/onnxruntime-cuda/lib come after
// build/onnxruntime/lib, and for the device "cuda" before it.
//
// tried lists every place looked at, in order. The error is a *LibraryError.
func FindLibrary(explicit, device string) (path string, tried []string, err error) {
	if explicit == "" {
		explicit = os.Getenv(LibraryEnv)
	}
	if explicit != "" {
		path, err = explicitLibrary(explicit)
		return path, []string{explicit}, err
	}
	for _, dir := range libraryDirs(device) {
		tried = append(tried, filepath.Join(dir, libraryNames()[0]))
		if path = libraryIn(dir); path != "" {
			return path, tried, nil
		}
	}
	for _, name := range libraryNames() {
		tried = append(tried, name+" (dynamic linker)")
		if loadable(name) {
			return name, tried, nil
		}
	}
	return "", tried, &LibraryError{Tried: tried}
}

func explicitLibrary(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		if filepath.Base(path) == path && loadable(path) {
			return path, nil
		}
		return "", &LibraryError{Path: path, Reason: statReason(err)}
	}
	if !info.IsDir() {
		return path, nil
	}
	if lib := libraryIn(path); lib != "" {
		return lib, nil
	}
	return "", &LibraryError{Path: path, Reason: fmt.Sprintf("the folder holds no %s", libraryNames()[0])}
}

func statReason(err error) string {
	if os.IsNotExist(err) {
		return "no such file"
	}
	return err.Error()
}

// libraryDirs are the folders searched, nearest to the executable first.
func libraryDirs(device string) []string {
	built := []string{installed, installedCUDA}
	if device == "cuda" {
		built = []string{installedCUDA, installed}
	}
	var dirs []string
	add := func(parts ...string) {
		if dir := filepath.Join(parts...); !slices.Contains(dirs, dir) {
			dirs = append(dirs, dir)
		}
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		bin := filepath.Dir(exe)
		add(bin, "lib")
		add(bin, "..", "lib")
		for _, lib := range built {
			add(bin, "..", lib)
		}
	}
	if dir, err := os.Getwd(); err == nil {
		for {
			for _, lib := range built {
				add(dir, lib)
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return dirs
}

// libraryNames are the names that ONNX Runtime's releases give the file, the
// usual one first.
func libraryNames() []string {
	if runtime.GOOS == "darwin" {
		return []string{"libonnxruntime.dylib"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so"}
}

// libraryIn returns the library in dir, or "".
func libraryIn(dir string) string {
	patterns := append(libraryNames(), "libonnxruntime.so.1.*", "libonnxruntime.*.dylib")
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}
