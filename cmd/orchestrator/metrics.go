package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"orchestrator/cmd/orchestrator/internal/metrics"
	"orchestrator/scheduler/plan"
)

// newMetrics are the metrics of this process.
func newMetrics() *metrics.Metrics {
	m := metrics.New(currentVersion().Version, plan.Engine)
	m.Devices()
	return m
}

// serveMetrics serves /metrics, and /healthz for those who only ask whether the
// process lives, until the returned function is called: also while a worker drains.
func serveMetrics(m *metrics.Metrics, address string, log *slog.Logger) (stop func(), err error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, usagef("--metrics-listen 127.0.0.1:9464, or port 0 for any that is free", "listening for the scraper of metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", m.Handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: time.Minute}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Error("metrics are not served any more", "error", err)
		}
	}()
	log.Info("metrics are served", "url", fmt.Sprintf("http://%s/metrics", listener.Addr()))
	return func() {
		limit, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if server.Shutdown(limit) != nil {
			_ = server.Close() // a scraper that is slow
		}
		<-done
	}, nil
}
