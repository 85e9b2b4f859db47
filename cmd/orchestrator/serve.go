package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"orchestrator/cmd/orchestrator/internal/web"
)

type serveOptions struct {
	listen   string
	insecure bool
}

func newServeCommand(a *app) *cobra.Command {
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the sweeps in a browser, and a JSON API",
		Long: `Serves pages that show the sweeps of the store while they run, with their curves,
comparisons and pictures, and the API that the pages use (/api/openapi.json). A
folder as the store is enough; with a queue it shows the workers, too.

Without sign-in it listens on loopback only. serve.tokens and serve.oidc.* say who
may sign in, and as what: see docs/serving.md.` + "\n" + exitHelp,
		Example: "  orchestrator serve\n  orchestrator serve --listen 127.0.0.1:0 --store s3://orchestrator --redis redis.example:6379",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runServe(cmd.Context(), a, o) },
	}
	cmd.Flags().StringVar(&o.listen, "listen", "127.0.0.1:8080", "address to serve on")
	cmd.Flags().BoolVar(&o.insecure, "insecure-no-auth", false, "listen beyond loopback although nobody has to sign in: whoever reaches the port may do everything")
	addFlags(cmd.Flags(), serveFlags)
	cmd.AddCommand(newServeTokenCommand(a))
	return cmd
}

func runServe(ctx context.Context, a *app, o serveOptions) error {
	log, err := a.config.logger(a.err, slog.LevelDebug)
	if err != nil {
		return err
	}
	access, err := a.access()
	if err != nil {
		return err
	}
	if err := allowed(access, o); err != nil {
		return err
	}
	access.AnyHost = o.insecure
	if c := a.config.Serve; access.TLS {
		if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
			return usagef("--tls-cert and --tls-key name PEM files", "reading the certificate: %w", err)
		}
	}
	store, err := a.openStore(ctx)
	if err != nil {
		return err
	}
	m := newMetrics()
	store = m.Store(store)
	q := &liveQueue{find: a.findQueue, changed: a.queueChanged}
	defer q.close()
	live, err := q.now(ctx)
	if err != nil {
		return err // a Redis that was named has to be there in the beginning
	}
	if a.config.Redis != "" { // it stays the same; that of a run in progress does not
		m.Register(live.Collector())
	}
	s := a.newScheduler(store, nil)
	s.Queue, s.Log, s.Meter = q, log, m.Scheduler()
	server, err := web.New(web.Options{
		Store: store, Scheduler: s, Queue: q.name, Workers: q.workers, Monitor: q.monitor,
		CacheDir: a.config.CacheDir, Version: currentVersion().Version, Log: log, Access: access,
		Metrics: m.Handler(),
	})
	if err != nil {
		return usagef("docs/serving.md describes the settings", "%w", err)
	}
	defer server.Close()
	notifier, err := a.newNotifier(store, s, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return usagef("--listen 127.0.0.1:0 takes any free port", "listening: %w", err)
	}
	fmt.Fprintf(a.out, "The sweeps of %s are at %s\n", store, serveURL(access, listener.Addr()))
	a.drains.Store(true)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return notifyLoop(ctx, notifier, notifyEvery) })
	group.Go(func() error {
		return server.Serve(ctx, func(h *http.Server) error {
			if access.TLS {
				return h.ServeTLS(listener, a.config.Serve.TLSCert, a.config.Serve.TLSKey)
			}
			return h.Serve(listener)
		})
	})
	return group.Wait()
}

// serveURL is where users find the server.
func serveURL(access web.Access, address net.Addr) string {
	switch {
	case access.PublicURL != nil:
		return access.PublicURL.String()
	case access.TLS:
		return "https://" + address.String() + "/"
	}
	return "http://" + address.String() + "/"
}

// allowed refuses to serve to others what nobody has to sign in for.
func allowed(access web.Access, o serveOptions) error {
	const try = "set up serve.tokens or serve.oidc (docs/serving.md), or say --insecure-no-auth"
	switch {
	case access.Required() || o.insecure:
		return nil
	case !loopback(o.listen):
		return usagef(try, "nobody has to sign in, and %s can be reached from other machines: listen on 127.0.0.1", o.listen)
	case access.PublicURL != nil && !loopback(net.JoinHostPort(access.PublicURL.Hostname(), "0")):
		return usagef(try, "nobody has to sign in, and others find the server at %s", access.PublicURL)
	}
	return nil
}

// loopback tells whether an address to listen on can be reached from this machine
// alone.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// queueChanged names the queue that would be found now: of a run in progress, its
// file at its time.
func (a *app) queueChanged() string {
	if a.config.Redis != "" || !a.storeIsFolder() {
		return a.config.Redis
	}
	info, err := os.Stat(a.embeddedFile())
	if errors.Is(err, os.ErrNotExist) || err != nil {
		return ""
	}
	return info.ModTime().String()
}
