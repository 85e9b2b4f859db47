#!/usr/bin/env bash
# Makes a folder with ONNX Runtime's CUDA provider and, in the place of CUDA, cuDNN
# and the driver, libraries whose functions do nothing but succeed, and whose device
# memory is the host's. The provider then opens graphs and says which nodes it takes,
# on a machine that has none of them; it cannot compute.
#
#   bench/placement/stubs.sh FOLDER_WITH_THE_CUDA_LIBRARY FOLDER
set -euo pipefail
from=$(realpath "$1")
to=$2
provider=$from/libonnxruntime_providers_cuda.so
[ -f "$provider" ] || { echo "there is no $provider: run make setup-cuda" >&2; exit 2; }
mkdir -p "$to"
for file in libonnxruntime.so.1 libonnxruntime_providers_shared.so libonnxruntime_providers_cuda.so; do
  cp -fL "$from/$file" "$to/"
done

source=$(mktemp -d)
trap 'rm -rf "$source"' EXIT
cat >"$source/known.c" <<'C'
#include <stdlib.h>
#include <string.h>
// The device's properties, at their places in CUDA 12's and 13's struct.
int cudaGetDeviceProperties_v2(char *p, int device) {
  memset(p, 0, 1000);
  strcpy(p, "stub");
  *(size_t *)(p + 288) = (size_t)80 << 30; // global memory
  *(size_t *)(p + 296) = 48 << 10;         // shared memory of a block
  *(int *)(p + 304) = 65536;               // registers of a block
  *(int *)(p + 308) = 32;                  // threads of a warp
  *(int *)(p + 320) = 1024;                // threads of a block
  for (int i = 0; i < 3; i++) ((int *)(p + 324))[i] = 1024, ((int *)(p + 336))[i] = 65535;
  *(int *)(p + 360) = 9;                   // compute capability 9.0
  return 0;
}
int cudaGetDeviceProperties(char *p, int device) { return cudaGetDeviceProperties_v2(p, device); }
int cudaDeviceGetAttribute(int *v, int attribute, int device) { *v = attribute == 75 ? 9 : attribute == 76 ? 0 : 1024; return 0; }
int cudaGetDeviceCount(int *n) { *n = 1; return 0; }
int cudaGetDevice(int *n) { *n = 0; return 0; }
int cudaDriverGetVersion(int *v) { *v = 13000; return 0; }
int cudaRuntimeGetVersion(int *v) { *v = 13000; return 0; }
int cudaMemGetInfo(size_t *available, size_t *total) { *available = *total = (size_t)80 << 30; return 0; }
int cudaMalloc(void **p, size_t n) { *p = calloc(n + 1, 1); return 0; }
int cudaMallocHost(void **p, size_t n) { *p = calloc(n + 1, 1); return 0; }
int cudaHostAlloc(void **p, size_t n, unsigned flags) { *p = calloc(n + 1, 1); return 0; }
int cudaFree(void *p) { free(p); return 0; }
int cudaFreeHost(void *p) { free(p); return 0; }
int cudaMemcpy(void *to, const void *from, size_t n, int kind) { memmove(to, from, n); return 0; }
int cudaMemcpyAsync(void *to, const void *from, size_t n, int kind, void *stream) { memmove(to, from, n); return 0; }
int cudaMemset(void *p, int v, size_t n) { memset(p, v, n); return 0; }
int cudaMemsetAsync(void *p, int v, size_t n, void *stream) { memset(p, v, n); return 0; }
static int object[64];
int cudaStreamCreate(void **s) { *s = object; return 0; }
int cudaStreamCreateWithFlags(void **s, unsigned flags) { *s = object; return 0; }
int cudaEventCreate(void **e) { *e = object; return 0; }
int cudaEventCreateWithFlags(void **e, unsigned flags) { *e = object; return 0; }
int cublasCreate_v2(void **h) { *h = object; return 0; }
int cublasLtCreate(void **h) { *h = object; return 0; }
int cudnnCreate(void **h) { *h = object; return 0; }
size_t cudnnGetVersion(void) { return 91000; }
const char *cudaGetErrorString(int e) { return "stub"; }
const char *cudaGetErrorName(int e) { return "stub"; }
const char *cudnnGetErrorString(int e) { return "stub"; }
const char *cublasGetStatusName(int e) { return "stub"; }
const char *cublasGetStatusString(int e) { return "stub"; }
void **__cudaRegisterFatBinary(void *p) { static void *h; return &h; }
// The driver's.
int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *v) { *v = 13000; return 0; }
int cuDeviceGetCount(int *n) { *n = 1; return 0; }
C
# All other functions that the provider needs, or looks up by name, return 0.
{
  nm -D --undefined-only "$provider" | awk '{print $2}' | sed 's/@.*//' | grep -E '^(cu|__cuda|nvrtc)'
  strings -a "$provider" | grep -xE '(cudnn|cufft|curand|nvrtc)[A-Z][A-Za-z0-9_]+'
} | sort -u |
  while read -r name; do
    grep -qE "[ *]$name\(" "$source/known.c" || echo "int $name(void) { return 0; }"
  done >"$source/rest.c"
needed=$(readelf -d "$provider" | sed -n 's/.*NEEDED.*\[\(lib\(cu\|nv\)[^]]*\)\].*/\1/p')
for name in $needed libcuda.so.1 libcudnn.so.9; do
  cc -w -shared -fPIC -Wl,-soname,"$name" -o "$to/$name" "$source/known.c" "$source/rest.c"
done
