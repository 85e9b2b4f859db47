package queue

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

// Worker is a server that is alive: one kind of slots of one worker daemon.
type Worker struct {
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Devices []string  `json:"devices"` // the demands that it meets
	Labels  []string  `json:"labels"`  // that jobs may ask for
	Slots   int       `json:"slots"`
	Status  string    `json:"status"` // active, or stopped while it drains
	Started time.Time `json:"started"`
	Running []Task    `json:"running"`
}

// Workers lists the living servers by host and process. One that was killed
// stays for up to ten seconds.
func (q *Queue) Workers(ctx context.Context) ([]Worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	servers, err := asynq.NewInspectorFromRedisClient(q.redis).Servers()
	if err != nil {
		return nil, fmt.Errorf("list the workers: %w", q.options.explain(err))
	}
	workers := make([]Worker, 0, len(servers))
	for _, s := range servers {
		w := Worker{Host: s.Host, PID: s.PID, Slots: s.Concurrency, Status: s.Status, Started: s.Started,
			Devices: devicesOf(slices.Collect(maps.Keys(s.Queues))), Labels: labelsOf(slices.Collect(maps.Keys(s.Queues))), Running: []Task{}}
		for _, a := range s.ActiveWorkers {
			if t, err := parseTask(a.TaskPayload); err == nil {
				w.Running = append(w.Running, t)
			}
		}
		slices.SortFunc(w.Running, func(a, b Task) int { return cmp.Or(cmp.Compare(a.Trial, b.Trial), cmp.Compare(a.Fold, b.Fold)) })
		workers = append(workers, w)
	}
	slices.SortFunc(workers, func(a, b Worker) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID), strings.Compare(strings.Join(a.Devices, ""), strings.Join(b.Devices, "")))
	})
	return workers, nil
}

func devicesOf(queues []string) []string {
	var devices []string
	for _, d := range Devices {
		if slices.ContainsFunc(queues, func(queue string) bool { return deviceOf(queue) == d }) {
			devices = append(devices, d)
		}
	}
	return devices
}

func labelsOf(queues []string) []string {
	labels := []string{}
	for _, queue := range queues {
		if _, label, has := strings.Cut(queue, "@"); has {
			label, _, _ = strings.Cut(label, "-x") // a label has no hyphens
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return slices.Compact(labels)
}
