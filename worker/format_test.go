package worker

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// documented are the keys of the table in artifacts/FORMAT.md, as expressions.
func documented(t *testing.T) map[string]*regexp.Regexp {
	t.Helper()
	text, err := os.ReadFile("../artifacts/FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.NewReplacer("DIGEST", "[0-9a-f]{64}", "PASS", "[0-9a-f]{64}", "SWEEP", "[^/]+", "JOB", "[^/]+", "NAME", "[^/]+", "EVENT", "[^/]+",
		"E-S-N", "[0-9]{6}-[0-9]{8}-[0-9]{4}", "/N.json", "/[0-9]{6}\\.json", "/N-", "/[0-9]{6}-", "/N.log", "/[0-9]{6}\\.log", ".", "\\.")
	keys := map[string]*regexp.Regexp{}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		keys[row[1]] = regexp.MustCompile("^" + words.Replace(row[1]) + "$")
	}
	return keys
}

// FORMAT.md names every object that jobs leave, and every key that there is.
func TestFormatIsDocumented(t *testing.T) {
	rows := documented(t)
	s := newStudy(t, t.TempDir())
	s.freeze()
	s.do(s.daemon("", nil), Completed)
	if err := artifacts.PutJSON(t.Context(), s.store, plan.FailureKey("another"), plan.Failure{}); err != nil {
		t.Fatal(err)
	}
	keys := keysOf(t, s.store, "")
	keys = append(keys, plan.PlanKey("sweep"), plan.CancelKey("sweep"), plan.PauseKey("sweep"), plan.SettingsKey("sweep"),
		plan.TrialKey("sweep", 7), plan.StopKey("sweep", 7), plan.ExhaustedKey("sweep"), plan.LastCollectionKey, plan.QueueKey("abc"),
		plan.NoticeKey("sweep", "event", 1), plan.NoticeSentKey("sweep", "event"), plan.NotifySinceKey,
		plan.DigestKey("sweep", 1), plan.HistoriesKey("sweep", 1), "probes/abc")
	met := map[string]bool{}
	for _, key := range keys {
		found := false
		for row, expression := range rows {
			if expression.MatchString(key) {
				found, met[row] = true, true
			}
		}
		if !found {
			t.Errorf("%s is not described", key)
		}
	}
	for row := range rows {
		if !met[row] {
			t.Errorf("%s is described, and nothing writes it", row)
		}
	}
}
