package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"go.yaml.in/yaml/v3"
)

// names are all series that a query may ask for.
func names(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{"up": true}
	for _, f := range families(t) {
		if f.GetType() != dto.MetricType_HISTOGRAM {
			known[f.GetName()] = true
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			known[f.GetName()+suffix] = true
		}
	}
	return known
}

var asked = regexp.MustCompile(`\b(?:orchestrator|asynq)_[a-z_]+`)

// unknown lists the metrics of a query that do not exist.
func unknown(known map[string]bool, query string) []string {
	var missing []string
	for _, name := range asked.FindAllString(query, -1) {
		if !known[name] {
			missing = append(missing, name)
		}
	}
	return missing
}

// The dashboard asks for metrics that exist, and shows each kind.
func TestDashboardAsksForWhatExists(t *testing.T) {
	text, err := os.ReadFile("../../../../deploy/grafana/orchestrator.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			ID      int
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	known, ids, queries := names(t), map[int]bool{}, ""
	for _, p := range dashboard.Panels {
		if ids[p.ID] || p.Title == "" || p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %d %q has another's number, no title or no query", p.ID, p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			queries += target.Expr + "\n"
			if len(asked.FindAllString(target.Expr, -1)) == 0 {
				t.Errorf("%q asks for none of our metrics: %s", p.Title, target.Expr)
			}
			for _, name := range unknown(known, target.Expr) {
				t.Errorf("%q asks for %s, which does not exist", p.Title, name)
			}
		}
	}
	for _, f := range families(t) {
		if strings.HasPrefix(f.GetName(), "orchestrator_") && f.GetName() != "orchestrator_build_info" &&
			f.GetName() != "orchestrator_attempt_duration_seconds" && !strings.Contains(queries, f.GetName()) {
			t.Errorf("the dashboard does not show %s", f.GetName())
		}
	}
}

// The alerts ask for metrics that exist, and say what to do.
func TestAlertsAskForWhatExists(t *testing.T) {
	text, err := os.ReadFile("../../../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr         string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	known, alerts := names(t), 0
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			alerts++
			for _, name := range unknown(known, rule.Expr) {
				t.Errorf("%s asks for %s, which does not exist", rule.Alert, name)
			}
			if rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Expr == "" {
				t.Errorf("%s has no severity, summary or expression", rule.Alert)
			}
		}
	}
	if alerts < 4 {
		t.Errorf("there are %d alerts", alerts)
	}
	if unknown(known, "rate(orchestrator_nothing_total[5m])") == nil {
		t.Error("the check would find nothing")
	}
}
