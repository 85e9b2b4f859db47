package web

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/klauspost/compress/gzhttp"
)

// outer is what every request passes before its route.
func (s *Server) outer(h http.Handler) (http.Handler, error) {
	compress, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.ExceptContentTypes([]string{"image/jpeg"}))
	if err != nil {
		return nil, fmt.Errorf("set up compression: %w", err)
	}
	sameOrigin, err := s.sameOrigin(h)
	if err != nil {
		return nil, err
	}
	return s.recovered(s.headers(s.knownHost(s.visited(unlessEvents(sameOrigin, compress(sameOrigin)))))), nil
}

// recovered keeps a handler that panics from taking the others along.
func (s *Server) recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler { //nolint:errorlint // that very value, by net/http's contract
				panic(cause)
			}
			s.o.Log.Error("a handler panicked", "path", r.URL.Path, "cause", cause, "stack", string(debug.Stack()))
			writeProblem(w, problemf(http.StatusInternalServerError, "the server's log says why", "the server could not answer"))
		}()
		h.ServeHTTP(w, r)
	})
}

// contentPolicy lets the pages load what the server has, and nothing else: no markup
// of theirs has scripts or styles in it.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
	"font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// headers tell browsers what answers may do.
func (s *Server) headers(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy":      contentPolicy,
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "no-referrer",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
			"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
			"Cache-Control":                "no-store",
		} {
			w.Header().Set(name, value)
		}
		if s.o.Access.secure() {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.ServeHTTP(w, r)
	})
}

// knownHost refuses other names than loopback's where nobody has to sign in: a page
// of another site whose name is made to point here would be let in by its browser.
func (s *Server) knownHost(h http.Handler) http.Handler {
	a := &s.o.Access
	if a.Required() || a.AnyHost {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := hostOf(r.Host)
		if host == "localhost" || net.ParseIP(host).IsLoopback() || a.PublicURL != nil && strings.EqualFold(host, a.PublicURL.Hostname()) {
			h.ServeHTTP(w, r)
			return
		}
		writeProblem(w, problemf(http.StatusMisdirectedRequest, "use 127.0.0.1 or localhost, or start the server with --public-url", "the server is not known by the name %q", host))
	})
}

// hostOf is a host without its port.
func hostOf(hostPort string) string {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		host = hostPort
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// visited notes who sent the request, and bounds what it may send.
func (s *Server) visited(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, s.o.Limits.Body)
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, s.identify(r))))
	})
}

// sameOrigin refuses what changes something and comes from another site's page.
// Whoever sends a token in the header is no browser that was tricked.
func (s *Server) sameOrigin(h http.Handler) (http.Handler, error) {
	check := http.NewCrossOriginProtection()
	if u := s.o.Access.PublicURL; u != nil {
		if err := check.AddTrustedOrigin(u.Scheme + "://" + u.Host); err != nil {
			return nil, fmt.Errorf("the public URL: %w", err)
		}
	}
	check.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, problemf(http.StatusForbidden, "behind a proxy, start the server with --public-url", "the request comes from another site"))
	}))
	protected := check.Handler(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if v := visitorOf(r.Context()); v.user != "" && v.session == "" {
			h.ServeHTTP(w, r)
			return
		}
		protected.ServeHTTP(w, r)
	}), nil
}

// unlessEvents compresses all answers but those that go on: their pieces are small and
// must not wait for each other.
func unlessEvents(plain, compressed http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/v1/events") {
			plain.ServeHTTP(w, r)
			return
		}
		compressed.ServeHTTP(w, r)
	})
}
