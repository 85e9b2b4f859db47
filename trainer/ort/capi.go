package ort

/*
#include <stdint.h>
#include <stdlib.h>

// Functions of ONNX Runtime's C interface that the bindings do not have: those for
// tensors in a device's memory, and those that tell which provider got which node.
// They are found by their places in the interface's table, which later releases
// only append to (TestPlacesInTheTable compares them with the header).

typedef void status; // NULL: success
typedef const void *const *table;

enum {
	at_GetErrorMessage = 2,
	at_CreateTensorAsOrtValue = 48,
	at_CreateTensorWithDataAsOrtValue = 49,
	at_GetTensorMutableData = 51,
	at_CreateMemoryInfo = 68,
	at_ReleaseStatus = 93,
	at_ReleaseMemoryInfo = 94,
	at_ReleaseValue = 96,
	at_CreateAllocator = 131,
	at_ReleaseAllocator = 132,
	at_RunWithBinding = 133,
	at_CreateIoBinding = 134,
	at_ReleaseIoBinding = 135,
	at_BindInput = 136,
	at_BindOutput = 137,
	at_ClearBoundInputs = 141,
	at_ClearBoundOutputs = 142,
	at_SetDeterministicCompute = 273,
	at_Session_GetEpGraphAssignmentInfo = 407,
	at_EpAssignedSubgraph_GetEpName = 408,
	at_EpAssignedSubgraph_GetNodes = 409,
	at_EpAssignedNode_GetName = 410,
	at_EpAssignedNode_GetOperatorType = 412,
};

// Each macro is a call of the function with that name in the table t.
#define CALL(name, types) ((status *(*) types)t[at_##name])
#define FREE(name) ((void (*)(void *))t[at_##name])

static const char *status_message(table t, status *s) { return ((const char *(*)(status *))t[at_GetErrorMessage])(s); }
static void status_release(table t, status *s) { FREE(ReleaseStatus)(s); }

static status *memory_new(table t, const char *name, int allocator, int kind, void **out) {
	return CALL(CreateMemoryInfo, (const char *, int, int, int, void **))(name, allocator, 0, kind, out);
}
static void memory_release(table t, void *m) { FREE(ReleaseMemoryInfo)(m); }

static status *allocator_new(table t, void *session, void *memory, void **out) {
	return CALL(CreateAllocator, (void *, void *, void **))(session, memory, out);
}
static void allocator_release(table t, void *a) { FREE(ReleaseAllocator)(a); }

static status *value_new(table t, void *allocator, const int64_t *shape, size_t rank, int type, void **out) {
	return CALL(CreateTensorAsOrtValue, (void *, const int64_t *, size_t, int, void **))(allocator, shape, rank, type, out);
}
static status *value_of(table t, void *memory, void *data, size_t bytes, const int64_t *shape, size_t rank, int type, void **out) {
	return CALL(CreateTensorWithDataAsOrtValue, (void *, void *, size_t, const int64_t *, size_t, int, void **))
		(memory, data, bytes, shape, rank, type, out);
}
static status *value_data(table t, void *value, void **out) { return CALL(GetTensorMutableData, (void *, void **))(value, out); }
static void value_release(table t, void *v) { FREE(ReleaseValue)(v); }

static status *binding_new(table t, void *session, void **out) { return CALL(CreateIoBinding, (void *, void **))(session, out); }
static void binding_release(table t, void *b) { FREE(ReleaseIoBinding)(b); }
static void binding_clear(table t, void *b) { FREE(ClearBoundInputs)(b); FREE(ClearBoundOutputs)(b); }
static status *bind_input(table t, void *b, const char *name, void *value) {
	return CALL(BindInput, (void *, const char *, void *))(b, name, value);
}
static status *bind_output(table t, void *b, const char *name, void *value) {
	return CALL(BindOutput, (void *, const char *, void *))(b, name, value);
}
static status *binding_run(table t, void *session, void *b) { return CALL(RunWithBinding, (void *, void *, void *))(session, NULL, b); }

static status *set_deterministic(table t, void *options) { return CALL(SetDeterministicCompute, (void *, _Bool))(options, 1); }

static status *assignments(table t, void *session, void *const **out, size_t *n) {
	return CALL(Session_GetEpGraphAssignmentInfo, (void *, void *const **, size_t *))(session, out, n);
}
static status *assigned_provider(table t, void *part, const char **out) {
	return CALL(EpAssignedSubgraph_GetEpName, (void *, const char **))(part, out);
}
static status *assigned_nodes(table t, void *part, void *const **out, size_t *n) {
	return CALL(EpAssignedSubgraph_GetNodes, (void *, void *const **, size_t *))(part, out, n);
}
static status *node_name(table t, void *node, const char **out) { return CALL(EpAssignedNode_GetName, (void *, const char **))(node, out); }
static status *node_operator(table t, void *node, const char **out) {
	return CALL(EpAssignedNode_GetOperatorType, (void *, const char **))(node, out);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"

	onnxruntime "github.com/yalue/onnxruntime_go"

	"orchestrator/trainer/onnx"
)

// api is the table of the library's functions.
type api struct{ table C.table }

func newAPI(table unsafe.Pointer) api { return api{C.table(table)} }

// handle is one of the library's objects.
type handle = unsafe.Pointer

// err makes an error of a status, and frees it.
func (a api) err(s unsafe.Pointer) error {
	if s == nil {
		return nil
	}
	defer C.status_release(a.table, s)
	return errors.New(C.GoString(C.status_message(a.table, s)))
}

// arenaAllocator is the kind of allocator that the provider itself takes its
// tensors from.
const arenaAllocator = 1

// Kinds of a memory: the device's, or the host's that a device gives out.
const (
	ofDevice = 0
	ofHost   = -1
)

// memory describes a memory by its name, such as "Cuda", and its kind.
func (a api) memory(name string, kind int) (m handle, err error) {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	err = a.err(C.memory_new(a.table, c, arenaAllocator, C.int(kind), &m))
	return m, err
}

func (a api) releaseMemory(m handle) { C.memory_release(a.table, m) }

// allocator is that of a session for a memory. It must not outlive the session.
func (a api) allocator(session, memory handle) (out handle, err error) {
	err = a.err(C.allocator_new(a.table, session, memory, &out))
	return out, err
}

func (a api) releaseAllocator(x handle) { C.allocator_release(a.table, x) }

// newValue is a tensor of any content in an allocator's memory.
func (a api) newValue(allocator handle, v onnx.Value) (out handle, err error) {
	dims, rank := dimensions(v.Shape)
	err = a.err(C.value_new(a.table, allocator, dims, rank, C.int(v.Type), &out))
	return out, err
}

// valueOf is a tensor that lies at an address of a memory. Where that is Go's, it
// must be pinned until the value is released.
func (a api) valueOf(memory handle, at unsafe.Pointer, v onnx.Value) (out handle, err error) {
	dims, rank := dimensions(v.Shape)
	bytes := C.size_t(int64(v.Size()) * v.Type.Size())
	err = a.err(C.value_of(a.table, memory, at, bytes, dims, rank, C.int(v.Type), &out))
	return out, err
}

// dimensions is a shape for a call that copies it.
func dimensions(shape []int) (*C.int64_t, C.size_t) {
	dims := make([]C.int64_t, len(shape), len(shape)+1)
	for i, d := range shape {
		dims[i] = C.int64_t(d)
	}
	return unsafe.SliceData(dims), C.size_t(len(shape))
}

// data is where a value's elements lie, in its memory.
func (a api) data(value handle) (at unsafe.Pointer, err error) {
	err = a.err(C.value_data(a.table, value, &at))
	return at, err
}

func (a api) releaseValue(v handle) { C.value_release(a.table, v) }

func (a api) newBinding(session handle) (b handle, err error) {
	err = a.err(C.binding_new(a.table, session, &b))
	return b, err
}

func (a api) releaseBinding(b handle) { C.binding_release(a.table, b) }
func (a api) clearBinding(b handle)   { C.binding_clear(a.table, b) }

func (a api) bindInput(b handle, name *C.char, value handle) error {
	return a.err(C.bind_input(a.table, b, name, value))
}

func (a api) bindOutput(b handle, name *C.char, value handle) error {
	return a.err(C.bind_output(a.table, b, name, value))
}

func (a api) run(session, binding handle) error {
	return a.err(C.binding_run(a.table, session, binding))
}

// setDeterministic asks for sums in a fixed order.
func (a api) setDeterministic(o *onnxruntime.SessionOptions) error {
	return a.err(C.set_deterministic(a.table, field(o, "o")))
}

// assigned is a node and the provider that got it.
type assigned struct{ provider, op, node string }

// assignments lists who got which node of a session that was opened with
// session.record_ep_graph_assignment_info.
func (a api) assignments(session handle) ([]assigned, error) {
	var parts *unsafe.Pointer
	var n C.size_t
	if err := a.err(C.assignments(a.table, session, &parts, &n)); err != nil {
		return nil, err
	}
	var all []assigned
	for _, part := range unsafe.Slice(parts, int(n)) {
		var provider *C.char
		var nodes *unsafe.Pointer
		var count C.size_t
		if err := errors.Join(a.err(C.assigned_provider(a.table, part, &provider)), a.err(C.assigned_nodes(a.table, part, &nodes, &count))); err != nil {
			return nil, err
		}
		for _, node := range unsafe.Slice(nodes, int(count)) {
			var name, op *C.char
			if err := errors.Join(a.err(C.node_name(a.table, node, &name)), a.err(C.node_operator(a.table, node, &op))); err != nil {
				return nil, err
			}
			all = append(all, assigned{C.GoString(provider), C.GoString(op), C.GoString(name)})
		}
	}
	return all, nil
}

// sessionHandle is the library's object behind a session of the bindings, which do
// not give it out.
func sessionHandle(s *onnxruntime.DynamicAdvancedSession) handle {
	return field(s, "s", "ortSession")
}

// field is a pointer at the end of a path of fields from x, which points to a
// struct of the bindings. A version of them that has no such field panics in every
// test of this package.
func field(x any, path ...string) handle {
	v := reflect.ValueOf(x)
	for _, name := range path {
		if v = v.Elem().FieldByName(name); !v.IsValid() {
			panic(fmt.Sprintf("%T has no field %q", x, name))
		}
	}
	return v.UnsafePointer()
}
