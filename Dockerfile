# The program with the ONNX Runtime library and the libraries of its pages that
# their lock files pin, for CPU workers, the server and the command line.
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

FROM debian:trixie-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 10001 orchestrator \
 && install -d -o orchestrator /work /var/cache/orchestrator
# The program looks for the library in ../lib beside itself.
COPY --from=build /src/bin/orchestrator /opt/orchestrator/bin/orchestrator
COPY --from=library /onnxruntime/lib/ /opt/orchestrator/lib/
ENV PATH=/opt/orchestrator/bin:$PATH \
    ORCHESTRATOR_CACHE_DIR=/var/cache/orchestrator
USER orchestrator
WORKDIR /work
VOLUME /var/cache/orchestrator
ENTRYPOINT ["orchestrator"]
CMD ["worker"]
