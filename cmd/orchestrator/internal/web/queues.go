package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
)

// queues shows the queue's own pages to whoever may look, and lets those change
// things who may.
func (s *Server) queues(w http.ResponseWriter, r *http.Request) {
	var monitor http.Handler
	if s.o.Monitor != nil {
		monitor = s.o.Monitor(visitorOf(r.Context()).role >= Admin)
	}
	if monitor == nil {
		writeProblem(w, problemf(http.StatusNotFound, "start the server with --redis, or a run beside it", "there is no queue to show"))
		return
	}
	if strings.HasPrefix(r.URL.Path, "/queues/api/") || strings.HasPrefix(r.URL.Path, "/queues/static/") {
		monitor.ServeHTTP(w, r)
		return
	}
	page := &buffered{header: w.Header(), status: http.StatusOK}
	monitor.ServeHTTP(page, r)
	writeMonitorPage(w, page)
}

// buffered holds an answer until it is whole.
type buffered struct {
	header http.Header
	status int
	bytes.Buffer
}

func (b *buffered) Header() http.Header    { return b.header }
func (b *buffered) WriteHeader(status int) { b.status = status }

var (
	inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
	foreignSheet = regexp.MustCompile(`<link[^>]*href="https?://[^>]*>`)
)

// writeMonitorPage lets the page run the scripts that stand in it, by their digests,
// and set styles, as its library does; and leaves out the fonts that it would fetch
// from elsewhere.
func writeMonitorPage(w http.ResponseWriter, page *buffered) {
	text := page.Bytes()
	if page.header.Get("Content-Type") == "" {
		page.header.Set("Content-Type", http.DetectContentType(text))
	}
	if strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		text = foreignSheet.ReplaceAll(text, nil)
		scripts := "'self'"
		for _, m := range inlineScript.FindAllSubmatch(text, -1) {
			sum := sha256.Sum256(m[1])
			scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		page.header.Set("Content-Security-Policy", "default-src 'none'; script-src "+scripts+"; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "+
			"font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'")
	}
	w.WriteHeader(page.status)
	_, _ = w.Write(text) // a client that left
}

// metrics are for Prometheus.
func (s *Server) metrics(w http.ResponseWriter, r *http.Request) {
	if s.o.Metrics == nil {
		s.nothing(w, r)
		return
	}
	s.o.Metrics.ServeHTTP(w, r)
}
