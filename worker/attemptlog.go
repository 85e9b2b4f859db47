package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

const (
	// maxLog is how much of an attempt's log is kept, in bytes: its end.
	maxLog = 256 << 10
	// maxLogLine bounds what a library can put in one message, in bytes.
	maxLogLine = 4000
	// logBegins is the first line of a log whose beginning was dropped.
	logBegins = "... earlier messages were dropped\n"
)

// record is an attempt and where what is said about it goes.
type record struct {
	plan.Attempt
	task  Task
	log   *slog.Logger // the daemon's, with the ids of the attempt, and what is kept
	kept  *keptLog     // nil: its daemon is dead
	trace AttemptTrace // nil: its daemon is dead
}

// keep gives an attempt its log: everything goes to what is kept, and what is
// important enough to the daemon's log, where each line has the ids.
func (d *Daemon) keep(t Task, a plan.Attempt) record {
	k := &keptLog{store: d.Store, key: plan.AttemptLogKey(a.Job, a.Number), hide: hide(d.Secrets)}
	text := slog.NewTextHandler(k, &slog.HandlerOptions{Level: slog.LevelDebug})
	log := d.Log.With(t.ids()...).With("attempt", a.Number, "device", a.Device)
	return record{Attempt: a, task: t, log: slog.New(slog.NewMultiHandler(log.Handler(), text)), kept: k}
}

// keptLog is the end of what was said about an attempt, and the object that it
// is kept in.
type keptLog struct {
	store artifacts.Store
	key   string
	hide  *strings.Replacer

	mu      sync.Mutex
	text    []byte
	dropped bool // text is not all of it
	changed bool // since it was stored
}

// Write takes a message, one whole line at a time.
func (k *keptLog) Write(line []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.text = append(k.text, k.hide.Replace(string(line))...)
	k.changed = true
	if len(k.text) > 2*maxLog { // not for each line
		k.text = slices.Clone(lastLines(k.text))
		k.dropped = true
	}
	return len(line), nil
}

// lastLines are the last whole lines that fit.
func lastLines(text []byte) []byte {
	text = text[max(0, len(text)-maxLog+len(logBegins)):]
	return text[bytes.IndexByte(text, '\n')+1:]
}

// taken is what is to be stored, or nil if that is stored.
func (k *keptLog) taken() []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.changed {
		return nil
	}
	k.changed = false
	if !k.dropped && len(k.text) <= maxLog {
		return slices.Clone(k.text)
	}
	return append([]byte(logBegins), lastLines(k.text)...)
}

// save stores what is not stored yet.
func (k *keptLog) save(ctx context.Context) error {
	if k == nil {
		return nil
	}
	text := k.taken()
	if text == nil {
		return nil
	}
	err := k.store.Put(ctx, k.key, bytes.NewReader(text), int64(len(text)))
	if err != nil {
		k.mu.Lock()
		k.changed = true
		k.mu.Unlock()
	}
	return err
}

// refresh saves now and then, until the returned function is called.
func (k *keptLog) refresh(ctx context.Context, every time.Duration, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := k.save(ctx); err != nil && ctx.Err() == nil {
				log.Debug("the log of an attempt is not stored yet", "key", k.key, "error", err)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// saveLast stores the end of a log. Only a store that is not available at all is
// an error: the end of the attempt is worth more than its log.
func (d *Daemon) saveLast(ctx context.Context, r record) error {
	err := r.kept.save(ctx)
	if err != nil && !errors.Is(err, artifacts.ErrUnavailable) {
		d.Log.Warn("the log of an attempt is not stored", "job", r.Job, "attempt", r.Number, "error", err)
		err = nil
	}
	return err
}

// hide replaces secrets, also where a message has them quoted.
func hide(secrets []string) *strings.Replacer {
	var pairs []string
	for _, s := range secrets {
		if len(s) < 4 { // it would be found in words that have nothing to do with it
			continue
		}
		pairs = append(pairs, s, "***")
		if quoted := strings.Trim(fmt.Sprintf("%q", s), `"`); quoted != s {
			pairs = append(pairs, quoted, "***")
		}
	}
	return strings.NewReplacer(pairs...)
}

// childLog is the log of a trainer process: its daemon writes it.
func childLog(out *eventWriter) *slog.Logger {
	return slog.New(slog.NewJSONHandler(logEvents{out}, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// logEvents makes an event of each line.
type logEvents struct{ out *eventWriter }

func (l logEvents) Write(line []byte) (int, error) {
	return len(line), l.out.write(event{Kind: eventLog, Log: json.RawMessage(bytes.TrimSpace(line))})
}

// relay says what a trainer process said.
func relay(log *slog.Logger, line json.RawMessage) {
	attributes := map[string]any{}
	if err := json.Unmarshal(line, &attributes); err != nil {
		return
	}
	var level slog.Level
	_ = level.UnmarshalText(fmt.Append(nil, attributes[slog.LevelKey])) // else it is information
	message := fmt.Sprint(attributes[slog.MessageKey])
	for _, key := range []string{slog.TimeKey, slog.LevelKey, slog.MessageKey} {
		delete(attributes, key)
	}
	args := make([]slog.Attr, 0, len(attributes))
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		args = append(args, slog.Any(key, attributes[key]))
	}
	log.LogAttrs(context.Background(), level, message, args...)
}

// cut shortens a line that somebody else wrote.
func cut(line []byte, most int) string {
	return strings.ToValidUTF8(string(line[:min(len(line), most)]), "?")
}
