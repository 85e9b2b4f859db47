# The program with the ONNX Runtime library and the libraries of its pages that
# their lock files pin, for CPU workers, the server and the command line. For GPU
# workers, with CUDA's own libraries (the host gives the driver):
#
#   docker build --target cuda -t orchestrator:local-cuda .
FROM node:24-trixie-slim AS library
WORKDIR /src
COPY tools/install-onnxruntime.sh tools/
COPY trainer/ort/library/package.json trainer/ort/library/package-lock.json trainer/ort/library/
RUN tools/install-onnxruntime.sh /onnxruntime
COPY tools/install-web.sh tools/
COPY cmd/orchestrator/internal/web/library cmd/orchestrator/internal/web/library
RUN mkdir -p cmd/orchestrator/internal/web/ui/vendor && tools/install-web.sh /tmp/web

FROM golang:1.26.8-trixie AS build
ENV GOCACHE=/var/cache/go-build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
COPY --from=library /src/cmd/orchestrator/internal/web/ui/vendor/ cmd/orchestrator/internal/web/ui/vendor/
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/var/cache/go-build \
    make build

# The libraries for GPUs, of one release of CUDA: 12 or 13.
FROM python:3.13-slim-trixie AS library-cuda
ARG CUDA=13
WORKDIR /src
COPY tools/install-onnxruntime-cuda.sh tools/
COPY trainer/ort/library trainer/ort/library
RUN tools/install-onnxruntime-cuda.sh --cuda "$CUDA" --with-cuda /onnxruntime-cuda

FROM debian:trixie-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 zlib1g \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 orchestrator \
 && install -d -o orchestrator /work /var/cache/orchestrator
# The program looks for the library in ../lib beside itself.
COPY --from=build /src/bin/orchestrator /opt/orchestrator/bin/orchestrator
ENV PATH=/opt/orchestrator/bin:$PATH \
    ORCHESTRATOR_CACHE_DIR=/var/cache/orchestrator
USER orchestrator
WORKDIR /work
VOLUME /var/cache/orchestrator
ENTRYPOINT ["orchestrator"]
CMD ["worker"]

FROM base AS cuda
COPY --from=library-cuda /onnxruntime-cuda/lib/ /opt/orchestrator/lib/
# What NVIDIA's container runtime puts into the container: the driver's libraries for
# computing, and nvidia-smi.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM base AS cpu
COPY --from=library /onnxruntime/lib/ /opt/orchestrator/lib/
