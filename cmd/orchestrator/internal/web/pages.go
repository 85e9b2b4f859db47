package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// The pages. ui/vendor holds libraries that `make web` brings from npm.
//
//go:embed all:ui
var ui embed.FS

// index is the document of all pages.
const index = "ui/index.html"

// built is a library without which no page works.
const built = "ui/vendor"

// page serves the document of all pages.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !pagesBuilt() {
		http.Error(w, "This program was built without the libraries of its pages: run `make web`, and build it again.\nThe API is at /api/v1, its description at /api/openapi.json.", http.StatusNotImplemented)
		return
	}
	serveFile(w, r, index, "no-cache")
}

// pagesBuilt tells whether the libraries are there, and not only their placeholder.
func pagesBuilt() bool {
	entries, err := ui.ReadDir(built)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) == ".js" || path.Ext(e.Name()) == ".mjs" {
			_, err := fs.Stat(ui, index)
			return err == nil
		}
	}
	return false
}

// asset serves what the pages are made of.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) {
	serveFile(w, r, path.Join("ui", path.Clean("/"+r.PathValue("file"))), "no-cache")
}

// serveFile answers with a file of the pages. Browsers ask each time whether it has
// changed: the file is named by its content.
func serveFile(w http.ResponseWriter, r *http.Request, name, cache string) {
	data, err := ui.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) || err != nil || path.Base(name)[0] == '.' {
		writeProblem(w, problemf(http.StatusNotFound, "", "there is no such file"))
		return
	}
	sum := sha256.Sum256(data)
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:8])+`"`)
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Content-Type", contentType(name))
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
}

// contentTypes do not depend on what the machine's tables say.
var contentTypes = map[string]string{
	".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8", ".svg": "image/svg+xml", ".json": "application/json", ".woff2": "font/woff2",
}

func contentType(name string) string {
	if known := contentTypes[path.Ext(name)]; known != "" {
		return known
	}
	if known := mime.TypeByExtension(path.Ext(name)); known != "" {
		return known
	}
	return "application/octet-stream"
}

// healthz answers while the process lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz answers while the store does.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if _, err := s.o.Store.Stat(r.Context(), "probes/ready"); err != nil && !notFound(err) {
		s.o.Log.Warn("not ready", "error", err)
		writeProblem(w, problemf(http.StatusServiceUnavailable, "", "the store does not answer"))
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
