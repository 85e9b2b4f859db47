package queue

import (
	"fmt"
	"slices"
	"strings"

	"orchestrator/scheduler/plan"
)

// Devices are what a job may ask for, in the order that workers prefer within a
// level of priority: what fewer workers can run comes first.
var Devices = []string{"cuda", "cpu", "any"}

// normalPriority is plan's default. As in Determined, smaller is more urgent.
const normalPriority = 42

// levels are the suffixes of queue names, the most urgent first.
var levels = []string{"-high", "", "-low"}

// name is the queue of jobs with these resources.
func name(r plan.Resources) (string, error) {
	device := r.Device
	if device == "" {
		device = "any"
	}
	if !slices.Contains(Devices, device) {
		return "", fmt.Errorf("no queue for device %q: it is one of %s", r.Device, strings.Join(Devices, ", "))
	}
	return device + level(r.Priority), nil
}

func level(priority int) string {
	switch {
	case priority == 0 || priority == normalPriority:
		return levels[1]
	case priority < normalPriority:
		return levels[0]
	}
	return levels[2]
}

// names are the queues of the devices, the first to be served first.
func names(devices []string) []string {
	var all []string
	for _, l := range levels {
		for _, d := range Devices {
			if slices.Contains(devices, d) {
				all = append(all, d+l)
			}
		}
	}
	return all
}

// everyQueue is where a job may be.
var everyQueue = names(Devices)
