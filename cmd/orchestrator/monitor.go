package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"orchestrator/scheduler/queue"
)

func newMonitorCommand(a *app) *cobra.Command {
	var listen string
	var readOnly bool
	cmd := &cobra.Command{
		Use:   "monitor",
		Short: "Serve asynqmon: the queues, their jobs and results, in a browser",
		Long: `Serves asynqmon for the Redis of the settings. It has no login of its own: it
listens on loopback unless --listen says otherwise, and changes nothing unless
--read-only=false.` + "\n" + exitHelp,
		Example: "  orchestrator monitor --redis 127.0.0.1:6379",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMonitor(cmd.Context(), a, listen, readOnly)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8081", "address to serve on")
	cmd.Flags().BoolVar(&readOnly, "read-only", true, "refuse requests that would change the queues")
	return cmd
}

func runMonitor(ctx context.Context, a *app, listen string, readOnly bool) error {
	q, err := a.needQueue(ctx) // says clearly what is wrong with Redis
	if err != nil {
		return err
	}
	q.Close()
	o, err := a.redisOptions()
	if err != nil {
		return err
	}
	monitor, err := queue.NewMonitor(o, "", readOnly)
	if err != nil {
		return err
	}
	defer monitor.Close()
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return usagef("--listen 127.0.0.1:0 takes any free port", "listening: %w", err)
	}
	fmt.Fprintf(a.out, "The queues of %s are at http://%s/\n", o, listener.Addr())
	a.drains.Store(true)
	server := &http.Server{Handler: monitor, ReadHeaderTimeout: 10 * time.Second}
	stopped := context.AfterFunc(ctx, func() {
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(limit)
	})
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the monitor: %w", err)
	}
	return nil
}
