package web

import (
	"context"
	"time"
)

// Worker is a daemon that the queue knows of.
type Worker struct {
	Host    string      `json:"host"`
	PID     int         `json:"pid"`
	Slots   int         `json:"slots"`
	Devices []string    `json:"devices" doc:"the demands that it meets"`
	Labels  []string    `json:"labels"`
	Status  string      `json:"status" doc:"active, or stopped while it drains"`
	Running []RunningAt `json:"running"`
	Since   time.Time   `json:"since"`
	Seen    time.Time   `json:"seen" doc:"when it last gave a sign of life, within ten seconds"`
}

// RunningAt is a job that a worker runs.
type RunningAt struct {
	Job    string `json:"job"`
	Sweep  string `json:"sweep"`
	Trial  int    `json:"trial"`
	Fold   int    `json:"fold"`
	Epoch  int    `json:"epoch" doc:"finished"`
	Epochs int    `json:"epochs" doc:"of the whole job; 0 while it has not said"`
}

type workerList struct {
	Workers []Worker `json:"workers"`
}

func (s *Server) getWorkers(ctx context.Context, _ *struct{}) (workerList, error) {
	list := workerList{Workers: []Worker{}}
	if s.o.Workers == nil {
		return list, nil
	}
	workers, err := s.o.Workers(ctx)
	if err != nil {
		return list, err
	}
	list.Workers = append(list.Workers, workers...)
	return list, nil
}
