package ort

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>

static void *open_global(const char *path) { return dlopen(path, RTLD_NOW | RTLD_GLOBAL); }

// What the CUDA driver's own library says (cuda.h: the interface that all its
// versions keep). Its CUresult is 0 for success.
typedef struct { int code, version, devices; } driver_answer;

static driver_answer ask_driver(void *handle) {
	driver_answer a = {-1, 0, 0};
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(handle, "cuInit");
	int (*version)(int *) = (int (*)(int *))dlsym(handle, "cuDriverGetVersion");
	int (*count)(int *) = (int (*)(int *))dlsym(handle, "cuDeviceGetCount");
	if (!init || !version || !count) return a;
	version(&a.version);
	a.code = init(0);
	if (a.code == 0) a.code = count(&a.devices);
	return a;
}
*/
import "C"

import (
	"runtime"
	"strings"
	"unsafe"
)

// errNoDevice is CUDA_ERROR_NO_DEVICE.
const errNoDevice = 100

// driver is what the CUDA driver says of itself.
type driver struct {
	found   bool
	reason  string // why it was not found
	code    int    // a CUresult; 0: success
	version int    // 1000·major + 10·minor of CUDA
	devices int
}

// driverLibrary is the driver's own library.
var driverLibrary = "libcuda.so.1"

func queryDriver() driver {
	handle, reason := dlopen(driverLibrary)
	if handle == nil {
		return driver{reason: reason}
	}
	a := C.ask_driver(handle)
	return driver{found: true, code: int(a.code), version: int(a.version), devices: int(a.devices)}
}

// dlopenGlobal loads a library for good, for others that need it.
func dlopenGlobal(path string) (ok bool, reason string) {
	runtime.LockOSThread() // whose the reason is
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	if C.open_global(name) == nil {
		return false, strings.TrimPrefix(C.GoString(C.dlerror()), path+": ")
	}
	return true, ""
}
