package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
)

// Devices are what a job may ask for, those that fewer workers have first.
var Devices = []string{"cuda", "cpu", "any"}

// name is the queue of jobs with these resources: the device, then the label that a
// worker must have, then how many slots at once, as in "cuda@a100-x2". Urgency is not
// part of it: that is the order within a queue, see Arrange.
func name(r plan.Resources) (string, error) {
	device := r.Device
	if device == "" {
		device = "any"
	}
	if !slices.Contains(Devices, device) {
		return "", fmt.Errorf("no queue for device %q: it is one of %s", r.Device, strings.Join(Devices, ", "))
	}
	if r.Label != "" {
		device += "@" + r.Label
	}
	if r.SlotsPerTrial > 1 {
		device += fmt.Sprintf("-x%d", r.SlotsPerTrial)
	}
	return device, nil
}

// names are the queues of workers with these devices, labels and slots, with the
// odds of each to be asked first. A queue that is asked in vain costs a round trip:
// the most usual one comes first nearly always, and the others often enough not to
// wait for it for ever.
func names(devices, labels []string, slots int) map[string]int {
	odds := map[string]int{"any": 30, "cuda": 5, "cpu": 3}
	all := map[string]int{}
	for _, device := range devices {
		if !slices.Contains(Devices, device) {
			continue
		}
		for _, label := range append([]string{""}, labels...) {
			for size := 1; size <= slots; size *= 2 {
				queue, _ := name(plan.Resources{Device: device, Label: label, SlotsPerTrial: size}) // a known device
				all[queue] = 1
				if label == "" && size == 1 {
					all[queue] = odds[device]
				}
			}
		}
	}
	return all
}

// deviceOf is the device that a queue is for.
func deviceOf(queue string) string {
	device, _, _ := strings.Cut(queue, "@")
	device, _, _ = strings.Cut(device, "-x")
	return device
}

// queues lists the queues that there are: a job may be in any of them.
func (q *Queue) queues(ctx context.Context) ([]string, error) {
	all, err := q.redis.SMembers(ctx, queuesKey).Result()
	if err != nil {
		return nil, q.options.explain(err)
	}
	all = slices.DeleteFunc(all, func(queue string) bool { return !slices.Contains(Devices, deviceOf(queue)) })
	slices.Sort(all)
	return all, nil
}
