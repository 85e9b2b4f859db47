package web

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"orchestrator/artifacts"
	"orchestrator/scheduler/plan"
)

// mostHeader bounds the header of a checkpoint that is read.
const mostHeader = 16 << 20

// runningHistory is how far a job without an outcome has come, by its newest
// checkpoint; nil where it has none. Only the head of the checkpoint is read
// (artifacts/FORMAT.md): its tensors may be large.
func (s *Server) runningHistory(ctx context.Context, job string) ([]plan.Epoch, error) {
	newest := ""
	for info, err := range s.o.Store.List(ctx, plan.CheckpointPrefix(job)) {
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(info.Key, ".json") { // in the order of progress
			newest = info.Key
		}
	}
	if newest == "" {
		return nil, nil
	}
	var pointer struct {
		Object string `json:"object"`
	}
	err := artifacts.GetJSON(ctx, s.o.Store, newest, &pointer)
	if err == nil {
		var r io.ReadCloser
		if r, _, err = s.o.Store.Get(ctx, pointer.Object); err == nil {
			defer r.Close()
			return readHistory(r)
		}
	}
	if notFound(err) { // deleted for a newer one meanwhile
		return nil, nil
	}
	return nil, err
}

// readHistory reads the history in the header of a safetensors file.
func readHistory(r io.Reader) ([]plan.Epoch, error) {
	var size uint64
	if err := binary.Read(r, binary.LittleEndian, &size); err != nil {
		return nil, fmt.Errorf("read the head of a checkpoint: %w", err)
	}
	if size > mostHeader {
		return nil, fmt.Errorf("read the head of a checkpoint: it has %d bytes", size)
	}
	head := make([]byte, size)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, fmt.Errorf("read the head of a checkpoint: %w", err)
	}
	var header struct {
		Metadata struct {
			History string `json:"history"`
		} `json:"__metadata__"`
	}
	if err := json.Unmarshal(head, &header); err != nil {
		return nil, fmt.Errorf("read the head of a checkpoint: %w", err)
	}
	var lines []struct {
		Epoch     int          `json:"epoch"`
		TrainLoss float64      `json:"train_loss"`
		Scores    plan.Metrics `json:"scores"`
		Seconds   float64      `json:"seconds"`
	}
	if err := json.Unmarshal([]byte(header.Metadata.History), &lines); err != nil {
		return nil, fmt.Errorf("read the history in a checkpoint: %w", err)
	}
	history := make([]plan.Epoch, len(lines))
	for i, l := range lines {
		history[i] = plan.Epoch{Epoch: l.Epoch, TrainLoss: l.TrainLoss, Metrics: l.Scores, Seconds: l.Seconds}
	}
	return history, nil
}
