package ort

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// The part of ONNX Runtime's C interface that never changes: the entry point's
// two functions, and the table of functions that later releases only append to.
typedef struct {
	const void *const *(*get_api)(uint32_t version);
	const char *(*get_version)(void);
} api_base;

enum { get_available_providers = 125, release_available_providers = 126 };

static void *open_library(const char *path) { return dlopen(path, RTLD_LAZY | RTLD_LOCAL); }

static const char *library_version(void *handle) {
	const api_base *(*entry)(void) = (const api_base *(*)(void))dlsym(handle, "OrtGetApiBase");
	return entry ? entry()->get_version() : NULL;
}

static const void *const *library_api(void *handle, uint32_t version) {
	const api_base *(*entry)(void) = (const api_base *(*)(void))dlsym(handle, "OrtGetApiBase");
	return entry()->get_api(version);
}

static int providers(const void *const *api, char ***names, int *count) {
	void *(*get)(char ***, int *) = (void *(*)(char ***, int *))api[get_available_providers];
	return get(names, count) == NULL;
}

static void release_providers(const void *const *api, char **names, int count) {
	void *(*release)(char **, int) = (void *(*)(char **, int))api[release_available_providers];
	release(names, count);
}
*/
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"
)

// library is an ONNX Runtime that has been loaded and found usable. It stays
// loaded until the process ends: a C++ library with threads of its own cannot be
// unloaded safely.
type library struct {
	path      string
	version   string
	providers []string
	api       api
}

// loadable reports whether the dynamic linker finds name.
func loadable(name string) bool {
	handle, _ := dlopen(name)
	return handle != nil
}

func dlopen(path string) (unsafe.Pointer, string) {
	runtime.LockOSThread() // whose the reason is
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle := C.open_library(name)
	if handle == nil {
		return nil, strings.TrimPrefix(C.GoString(C.dlerror()), path+": ")
	}
	return handle, ""
}

// load opens the library at path and asks for its version, before the bindings,
// which tell these failures apart less well, see it.
func load(path string) (*library, error) {
	if err := inspectFile(path); err != nil {
		return nil, err
	}
	handle, reason := dlopen(path)
	if handle == nil {
		return nil, &LibraryError{Path: path, Reason: "cannot be loaded: " + reason}
	}
	found := C.library_version(handle)
	if found == nil {
		return nil, &LibraryError{Path: path, Reason: "is a shared library, but not ONNX Runtime (it has no OrtGetApiBase)"}
	}
	lib := &library{path: path, version: C.GoString(found)}
	table := C.library_api(handle, APIVersion)
	if table == nil {
		return nil, &LibraryError{Path: path, Found: lib.version,
			Reason: fmt.Sprintf("is version %s, which is too old: 1.%d or newer is needed", lib.version, APIVersion)}
	}
	lib.providers = providers(table)
	lib.api = newAPI(unsafe.Pointer(table))
	return lib, nil
}

// providers lists the execution providers that the library was built with.
func providers(api *unsafe.Pointer) []string {
	var names **C.char
	var count C.int
	if C.providers(api, &names, &count) == 0 {
		return nil
	}
	defer C.release_providers(api, names, count)
	var out []string
	for _, name := range unsafe.Slice(names, int(count)) {
		out = append(out, C.GoString(name))
	}
	return out
}
