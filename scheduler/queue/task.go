package queue

import (
	"encoding/json"
	"fmt"
)

// taskType is asynq's type of all our tasks.
const taskType = "job"

// Task is what travels through the queue: only names, since asynq writes the
// payload of every running task again at each heartbeat. All else is in the
// artifact store.
type Task struct {
	Sweep string `json:"sweep"`
	Job   string `json:"job"`
	Trial int    `json:"trial"`
	Fold  int    `json:"fold"`
	Rank  int    `json:"rank,omitempty"` // within the sweep: smaller first
}

// ids are what every message about a job has.
func (t Task) ids() []any {
	return []any{"sweep", t.Sweep, "trial", t.Trial, "fold", t.Fold, "job", t.Job}
}

// payload is one line of JSON: asynqmon shows text with line breaks in it as
// "non-printable bytes".
func (t Task) payload() []byte {
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // two strings and two integers always encode
	}
	return b
}

func parseTask(payload []byte) (Task, error) {
	var t Task
	if err := json.Unmarshal(payload, &t); err != nil {
		return Task{}, fmt.Errorf("read the task's payload: %w", err)
	}
	if t.Job == "" {
		return Task{}, fmt.Errorf("the task's payload %.100q names no job", payload)
	}
	return t, nil
}
