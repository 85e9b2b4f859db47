package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// route is one line of the table.
type route struct {
	method, path string // as http.ServeMux writes them
	role         Role   // that it asks for
	doc          string // one line; shown in the description of the API
	answer       answer
}

// answer puts a route's handler behind its gate.
type answer interface{ mount(*Server, route, *gate) }

// routes is the whole surface of the server.
func routes() []route {
	const api = "/api/v1"
	return append([]route{
		{"GET", api + "/session", Nobody, "Who is signed in, and how one signs in", typed((*Server).getSession)},
		{"POST", api + "/session", Nobody, "Sign in with a token", whole((*Server).signIn)},
		{"DELETE", api + "/session", Nobody, "Sign out", whole((*Server).signOut)},

		{"GET", api + "/sweeps", View, "All sweeps, the most recent first", typed((*Server).getSweeps)},
		{"GET", api + "/sweeps/{sweep}", View, "A sweep with all trials and folds, without histories", typed((*Server).getSweep)},
		{"GET", api + "/sweeps/{sweep}/results", View, "A sweep's results, as `orchestrator results --output json`", typed((*Server).getResults)},
		{"GET", api + "/sweeps/{sweep}/curves", View, "Learning curves of some trials, thinned", typed((*Server).getCurves)},
		{"GET", api + "/sweeps/{sweep}/trials/{trial}", View, "One trial with its histories", typed((*Server).getTrial)},
		{"GET", api + "/sweeps/{sweep}/importance", View, "How much each searched parameter matters", typed((*Server).getImportance)},
		{"GET", api + "/sweeps/{sweep}/settings", View, "What a sweep is made of", typed((*Server).getSettings)},
		{"GET", api + "/sweeps/{sweep}/pictures", View, "Pictures with a trial's answers to them, out of fold", typed((*Server).getPictures)},
		{"GET", api + "/sweeps/{sweep}/picture/{index}", View, "A picture of the data set, small", whole((*Server).getPicture)},
		{"GET", api + "/jobs/{job}/evaluation", View, "How well a job's network tells its fold's test pictures apart", typed((*Server).getEvaluation)},
		{"GET", api + "/jobs/{job}/log", View, "What was said about an attempt while it ran: the last megabyte", whole((*Server).getLog)},
		{"GET", api + "/compare", View, "Trials side by side, with tests of their differences", typed((*Server).getCompare)},
		{"GET", api + "/jobs/{job}", View, "One job: its result, attempts and failure", typed((*Server).getJob)},
		{"GET", api + "/events", View, "Changes as they happen (server-sent events): of all sweeps, or with ?sweep=ID of one", plain((*Server).events)},
		{"GET", api + "/workers", View, "The daemons that the queue knows of", typed((*Server).getWorkers)},

		{"POST", api + "/sweeps/{sweep}/pause", Operate, "Stop a sweep's jobs for now, with checkpoints", typed((*Server).pause)},
		{"POST", api + "/sweeps/{sweep}/resume", Operate, "Take a sweep up again", typed((*Server).resume)},
		{"POST", api + "/sweeps/{sweep}/cancel", Operate, "Stop a sweep's jobs and queue no more of them", typed((*Server).cancel)},
		{"POST", api + "/sweeps/{sweep}/retry", Operate, "Try a sweep's failed jobs again", typed((*Server).retry)},
		{"PATCH", api + "/sweeps/{sweep}", Operate, "Change a sweep's priority, trials at a time or budget", typed((*Server).update)},

		{"GET", "/api/openapi.json", View, "The description of the API (OpenAPI 3.1)", plain((*Server).openAPI)},
		{"GET", "/login/oidc", Nobody, "Sign in at the identity provider", plain((*Server).goToProvider)},
		{"GET", callbackURL, Nobody, "Come back from the identity provider", plain((*Server).backFromProvider)},
		{"GET", "/queues", View, "The queue's own pages", plain((*Server).queues)},
		{"GET", "/queues/{path...}", View, "The queue's own pages", plain((*Server).queues)},
		{"POST", "/queues/{path...}", Admin, "Change the queue", plain((*Server).queues)},
		{"DELETE", "/queues/{path...}", Admin, "Change the queue", plain((*Server).queues)},
		{"GET", "/metrics", View, "What Prometheus reads", plain((*Server).metrics)},
		{"GET", "/healthz", Nobody, "Answers while the process lives", plain((*Server).healthz)},
		{"GET", "/readyz", Nobody, "Answers while the store does", plain((*Server).readyz)},
		{"GET", "/assets/{file...}", Nobody, "What the pages are made of", plain((*Server).asset)},
	}, pageRoutes()...)
}

// pageRoutes are the paths of the pages: all the same document, as it finds out
// itself what to show.
func pageRoutes() []route {
	paths := []string{"/{$}", "/sweeps/{sweep}", "/sweeps/{sweep}/trials/{trial}", "/sweeps/{sweep}/pictures", "/jobs/{job}", "/compare", "/workers"}
	all := []route{{"GET", "/login", Nobody, "The page to sign in", plain((*Server).page)}}
	for _, path := range paths {
		all = append(all, route{"GET", path, View, "A page", plain((*Server).page)})
	}
	return all
}

// plain is a handler that writes its answer itself.
type plain func(*Server, http.ResponseWriter, *http.Request)

func (h plain) mount(s *Server, r route, g *gate) {
	if r.path == "/api/v1/events" {
		op := r.operation(s)
		op.Parameters = []*huma.Param{{Name: "sweep", In: "query", Description: "changes of this sweep alone", Schema: &huma.Schema{Type: huma.TypeString}}}
		s.api.OpenAPI().AddOperation(&op)
	}
	g.HandleFunc(r.method+" "+r.path, func(w http.ResponseWriter, req *http.Request) { h(s, w, req) })
}

// typedAnswer is a function from parameters to JSON, which the description of the
// API is made from.
type typedAnswer[I, O any] func(*Server, context.Context, *I) (O, error)

func typed[I, O any](f func(*Server, context.Context, *I) (O, error)) answer {
	return typedAnswer[I, O](f)
}

// body is how the library knows what of an answer is its body.
type body[O any] struct{ Body O }

func (f typedAnswer[I, O]) mount(s *Server, r route, g *gate) {
	huma.Register(s.api, r.operation(s), func(ctx context.Context, in *I) (*body[O], error) {
		out, err := f(s, ctx, in)
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		return &body[O]{out}, nil
	})
}

// wholeAnswer is a function from parameters to an answer with its headers.
type wholeAnswer[I, O any] func(*Server, context.Context, *I) (*O, error)

func whole[I, O any](f func(*Server, context.Context, *I) (*O, error)) answer {
	return wholeAnswer[I, O](f)
}

func (f wholeAnswer[I, O]) mount(s *Server, r route, g *gate) {
	huma.Register(s.api, r.operation(s), func(ctx context.Context, in *I) (*O, error) {
		out, err := f(s, ctx, in)
		if err != nil {
			return nil, s.explain(ctx, err)
		}
		return out, nil
	})
}

// operation is the route in the description of the API.
func (r route) operation(s *Server) huma.Operation {
	op := huma.Operation{
		Method: r.method, Path: r.path, Summary: r.doc, OperationID: operationID(r), MaxBodyBytes: s.o.Limits.Body,
		BodyReadTimeout: s.o.Limits.Request, Security: []map[string][]string{{"token": {}}, {"session": {}}},
		Metadata: map[string]any{"role": r.role},
	}
	if media := mediaTypes[r.path]; media != "" {
		op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{media: {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	}
	if r.role == Nobody {
		op.Security = []map[string][]string{}
	} else {
		op.Description = fmt.Sprintf("Needs the role %s.", r.role)
	}
	return op
}

// mediaTypes are those of answers that are no JSON.
var mediaTypes = map[string]string{
	"/api/v1/sweeps/{sweep}/picture/{index}": "image/jpeg",
	"/api/v1/jobs/{job}/log":                 "text/plain",
	"/api/v1/events":                         "text/event-stream",
}

// operationID is "get-sweeps-curves" of GET /api/v1/sweeps/{sweep}/curves.
func operationID(r route) string {
	words := []string{strings.ToLower(r.method)}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.path, "/api/v1/"), "/") {
		words = append(words, strings.Trim(part, "{}"))
	}
	return strings.Join(words, "-")
}

// gate is the one way into the mux: a route that is not in the table panics when it
// is mounted, and each asks for its role.
type gate struct {
	s     *Server
	roles map[string]Role // by pattern
}

// HandleFunc mounts a handler behind the role of its route.
func (g *gate) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	role, known := g.roles[pattern]
	if !known {
		panic("route " + pattern + " is not in the table")
	}
	g.s.mux.Handle(pattern, g.s.admit(role, http.HandlerFunc(h)))
}

// ServeHTTP is there for the library's interface.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.s.mux.ServeHTTP(w, r) }

// mount mounts the table.
func (s *Server) mount() {
	g := &gate{s: s, roles: map[string]Role{}}
	all := routes()
	for _, r := range all {
		g.roles[r.method+" "+r.path] = r.role
	}
	s.api = humago.New(g, s.description())
	for _, r := range all {
		r.answer.mount(s, r, g)
	}
	s.mux.Handle("/", http.HandlerFunc(s.nothing))
}

// nothing answers what no route does.
func (s *Server) nothing(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, problemf(http.StatusNotFound, "/api/openapi.json lists what there is", "there is nothing at this address"))
}

func writeProblem(w http.ResponseWriter, p *problem) { writeJSON(w, p.status, p) }

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a client that left
}
