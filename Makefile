# The two commands of the README are `make quickstart` and `make test`.
# Everything that is fetched is pinned: Go modules by go.sum, the ONNX Runtime
# library and the libraries of the pages by the integrity hashes in their
# package-lock.json, the libraries for CUDA by the hashes in trainer/ort/library.

MINIO_VERSION := v0.0.0-20260212201848-7aac2a2c5b7c
VERSITYGW_VERSION := v1.8.0
LINT_VERSION  := v2.15.0
GOTESTSUM_VERSION := v1.13.0

ORT_DIR := build/onnxruntime
ORT_LIB := $(ORT_DIR)/lib/.ready
ORT_CUDA_DIR := build/onnxruntime-cuda
TOOLS   := $(CURDIR)/build/tools
MINIO   := $(TOOLS)/minio
VERSITYGW := $(TOOLS)/versitygw
PYTHON_LIBRARIES := $(TOOLS)/python/.ready
SHARED  ?= ../shared

export MINIO_BIN ?= $(MINIO)
export VERSITYGW_BIN ?= $(VERSITYGW)

WEB := cmd/orchestrator/internal/web
PAGES := $(WEB)/ui/vendor/.ready

.PHONY: setup setup-cuda web build quickstart test test-short test-slow test-all chaos test-tools lint fmt bench bench-engine bench-gpu bench-probe bench-orchestration placement light-models zoo fuzz clean

setup: $(ORT_LIB) web ## install the pinned ONNX Runtime library under build/, and the libraries of the pages

setup-cuda: ## the library for NVIDIA GPUs under build/, with pip: make setup-cuda CUDA=12, or 13; WITH_CUDA=1 for hosts that have the driver alone
	./tools/install-onnxruntime-cuda.sh --cuda $(or $(CUDA),13) $(if $(WITH_CUDA),--with-cuda) $(ORT_CUDA_DIR)

web: $(PAGES) ## copy the libraries of the pages of `orchestrator serve` to where the program embeds them

$(PAGES): $(WEB)/library/package.json $(WEB)/library/package-lock.json tools/install-web.sh
	./tools/install-web.sh build/web

$(ORT_LIB): trainer/ort/library/package.json trainer/ort/library/package-lock.json
	./tools/install-onnxruntime.sh $(ORT_DIR)

build: ## build bin/orchestrator
	go build -trimpath -o bin/orchestrator ./cmd/orchestrator

quickstart: setup build ## train a first sweep on pictures that the program draws
	bin/orchestrator dataset example example-data
	bin/orchestrator run examples/quickstart.yaml

test: setup test-tools ## install what the tests need, and run the daily tier: every promise, by its smallest case
	./tools/test.sh

test-short: setup ## the tests to run while writing; fails where one takes more than 5 seconds
	./tools/test-short.sh

test-slow: $(TOOLS)/gotestsum ## the 30 tests that took the longest in the last `make test`
	@$(TOOLS)/gotestsum tool slowest --jsonfile build/test.json --threshold 0s | head -n 30

test-all: setup test-tools ## the full tier, in parts that are run until they have passed: make test-all PARTS="tests chaos"
	./tools/test-all.sh $(PARTS)

chaos: setup test-tools ## kill -9 a thousand processes of a cluster that trains, with outages of up to a minute
	ORCHESTRATOR_TEST_CHAOS_KILLS=1000 ORCHESTRATOR_TEST_CHAOS_OUTAGE=1m \
		go test ./cmd/orchestrator -run TestChaos -v -timeout 3h

test-tools: $(MINIO) $(VERSITYGW) $(TOOLS)/gotestsum $(PYTHON_LIBRARIES) ## MinIO and another S3 server (built from their Go modules), Redis, Chromium, the test runner, what the documented Python needs
	./tools/install-redis.sh
	./tools/install-chromium.sh

$(PYTHON_LIBRARIES): tools/python-requirements.txt
	$(or $(PYTHON),python3) -m pip install --quiet --disable-pip-version-check --upgrade --only-binary=:all: --target $(@D) --requirement $<
	touch $@

$(MINIO):
	GOBIN=$(TOOLS) GOFLAGS=-mod=mod go install github.com/minio/minio@$(MINIO_VERSION)

$(VERSITYGW):
	GOBIN=$(TOOLS) GOFLAGS=-mod=mod go install github.com/versity/versitygw/cmd/versitygw@$(VERSITYGW_VERSION)

lint: $(TOOLS)/golangci-lint ## format, vet, import rules
	$(TOOLS)/golangci-lint run ./...

$(TOOLS)/gotestsum:
	GOBIN=$(TOOLS) go install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)

fmt:
	gofmt -w $$(git ls-files '*.go')

bench: setup ## training step, data path and queue path
	./tools/bench.sh

bench-engine: setup ## our training step beside PyTorch's (any python3 that has torch: make bench-engine PYTHON=...)
	go build -o bin/bench-engine ./bench/engine
	bin/bench-engine -python $(or $(PYTHON),python3)

bench-gpu: web build light-models ## training on this machine's NVIDIA GPU, beside PyTorch, after make setup-cuda: bench/gpu/run.sh says what, and how it is set (about 8 minutes)
	go build -o bin/bench-engine ./bench/engine
	PYTHON=$(or $(PYTHON),python3) ./bench/gpu/run.sh

bench-probe: setup build ## layer-wise probes beside training jobs: make bench-probe PICTURES=folder SQUEEZENET=squeezenet1.1-7.onnx
	./bench/probe/run.sh $(PICTURES) $(SQUEEZENET)

bench-orchestration: setup build test-tools ## dispatch, pick-up, search, planning, first looks and overhead, each beside its target (about 15 minutes)
	go run ./bench/orchestration

placement: setup-cuda light-models ## which nodes of the light models' training the CUDA provider leaves to the CPU; needs no CUDA
	./bench/placement/stubs.sh build/onnxruntime-cuda/lib build/cuda-stubs
	LD_LIBRARY_PATH=$(CURDIR)/build/cuda-stubs go run ./bench/placement -library build/cuda-stubs build/light/*.onnx

light-models: ## fetch the nine light models of the ONNX repository into build/light (with pip)
	./tools/light-models.sh build/light

zoo: setup build light-models ## train the light models in build/light, and CaffeNet, for ten steps: every loss has to fall
	./tools/zoo.sh

fuzz: ## every parser for a while: make fuzz FUZZTIME=30s
	./tools/fuzz.sh $(or $(FUZZTIME),20s)

clean:
	rm -rf bin build example-data .orchestrator $(WEB)/ui/vendor/*.mjs $(PAGES)
