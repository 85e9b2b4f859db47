package web

import (
	"encoding/json"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"orchestrator/artifacts/report/analysis"
	"orchestrator/scheduler/plan"
)

// figure is a number that may be missing: what is not finite is null in JSON.
type figure float64

// Schema describes it.
func (figure) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Format: "double", Nullable: true}
}

// Types of plan that write themselves, as they look in JSON.
type (
	statShape struct {
		Mean figure `json:"mean" doc:"over folds"`
		Std  figure `json:"std" doc:"sample standard deviation; null for fewer than two folds"`
	}
	metricsShape map[string]figure
	epochShape   struct{}
)

// Schema describes a line of history: a metric has any other name.
func (epochShape) Schema(r huma.Registry) *huma.Schema {
	number := figure(0).Schema(r)
	return &huma.Schema{
		Type:                 huma.TypeObject,
		Properties:           map[string]*huma.Schema{"epoch": {Type: huma.TypeInteger}, "train_loss": number, "seconds": number},
		Required:             []string{"epoch", "train_loss"},
		AdditionalProperties: number,
	}
}

// description is what the description of the API begins with.
func (s *Server) description() huma.Config {
	registry := huma.NewMapRegistry("#/components/schemas/", schemaName)
	registry.RegisterTypeAlias(reflect.TypeFor[plan.Stat](), reflect.TypeFor[statShape]())
	registry.RegisterTypeAlias(reflect.TypeFor[plan.Metrics](), reflect.TypeFor[metricsShape]())
	registry.RegisterTypeAlias(reflect.TypeFor[plan.Epoch](), reflect.TypeFor[epochShape]())
	registry.RegisterTypeAlias(reflect.TypeFor[analysis.Number](), reflect.TypeFor[figure]())
	registry.RegisterTypeAlias(reflect.TypeFor[plan.Best](), reflect.TypeFor[maybe[bestShape]]())
	jsonFormat := huma.Format{
		// Names of classes and files may hold anything: < > & are escaped.
		Marshal:   func(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) },
		Unmarshal: json.Unmarshal,
	}
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{Title: "orchestrator", Version: "1",
				Description: "The JSON API of `orchestrator serve`. Numbers that are not finite are null; times are RFC 3339 in UTC. " +
					"An answer that is not the one asked for is an object of `error`, what went wrong, and `hint`, what to try."},
			Components: &huma.Components{
				Schemas: registry,
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"token":   {Type: "http", Scheme: "bearer", Description: "A token of the server's configuration."},
					"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "What signing in leaves; requests that change something must come from the server's own pages."},
				},
			},
		},
		Formats:       map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat},
		DefaultFormat: "application/json",
	}
}

// openAPI is the description of the API.
func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.api.OpenAPI())
}

// maybe is an object, or null.
type maybe[T any] struct{ value *T }

// MarshalJSON writes the object or null.
func (m maybe[T]) MarshalJSON() ([]byte, error) { return json.Marshal(m.value) }

// Schema describes it.
func (maybe[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: []*huma.Schema{r.Schema(reflect.TypeFor[T](), true, ""), {Type: "null"}}}
}

// bestShape is plan.Best, which is null until a trial has completed.
type bestShape struct {
	Trial int `json:"trial"`
}

// schemaName names a type with its package, unless it is one of ours: several have an
// Evaluation.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	if of := path.Base(t.PkgPath()); t.Name() != "" && of != "web" && of != "." {
		name = strings.ToUpper(of[:1]) + of[1:] + name
	}
	return name
}
