package metrics

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/procfs"

	"orchestrator/worker"
	gpu "orchestrator/worker/device"
)

var (
	slotsDesc    = prometheus.NewDesc("orchestrator_slots", "Slots of this worker, by device and by what they do: free, running or resting (after failures).", []string{"device", "state"}, nil)
	progressDesc = prometheus.NewDesc("orchestrator_slot_progress_ratio", "Part of the steps of the job in this slot that are done, from 0 to 1. Absent while no trainer process runs.", []string{"slot"}, nil)
	memoryDesc   = prometheus.NewDesc("orchestrator_trainer_resident_memory_bytes", "Resident memory of the trainer process in this slot. Absent while none runs, and where there is no /proc.", []string{"slot"}, nil)
)

// Slots measures what the slots of a daemon do, whenever the metrics are asked for.
func (m *Metrics) Slots(slots func() []worker.SlotStatus) {
	m.registry.MustRegister(slotCollector{slots})
}

type slotCollector struct{ slots func() []worker.SlotStatus }

// Describe names what Collect gives.
func (c slotCollector) Describe(to chan<- *prometheus.Desc) {
	to <- slotsDesc
	to <- progressDesc
	to <- memoryDesc
}

// Collect asks the daemon.
func (c slotCollector) Collect(to chan<- prometheus.Metric) {
	type key struct{ device, state string }
	counts := map[key]int{}
	for i, s := range c.slots() {
		for _, state := range []string{"free", "running", "resting"} { // each device has all three
			counts[key{s.Device, state}] += 0
		}
		state := "free"
		switch {
		case s.Taken:
			state = "running"
		case s.Resting:
			state = "resting"
		}
		counts[key{s.Device, state}]++
		if s.PID == 0 {
			continue
		}
		slot := strconv.Itoa(i)
		to <- prometheus.MustNewConstMetric(progressDesc, prometheus.GaugeValue, s.Done, slot)
		if bytes, ok := residentMemory(s.PID); ok {
			to <- prometheus.MustNewConstMetric(memoryDesc, prometheus.GaugeValue, bytes, slot)
		}
	}
	for k, n := range counts {
		to <- prometheus.MustNewConstMetric(slotsDesc, prometheus.GaugeValue, float64(n), k.device, k.state)
	}
}

// residentMemory is what a process has in memory; false where that cannot be known,
// as when it has just ended.
func residentMemory(pid int) (float64, bool) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return 0, false
	}
	stat, err := p.Stat()
	return float64(stat.ResidentMemory()), err == nil
}

var (
	deviceUsedDesc  = prometheus.NewDesc("orchestrator_device_memory_used_bytes", "Memory in use on a CUDA device, by whomever. Absent where there is no nvidia-smi.", []string{"index", "name"}, nil)
	deviceTotalDesc = prometheus.NewDesc("orchestrator_device_memory_total_bytes", "Memory of a CUDA device.", []string{"index", "name"}, nil)
	deviceBusyDesc  = prometheus.NewDesc("orchestrator_device_utilization_ratio", "Part of the time in which a CUDA device computed something, from 0 to 1, as nvidia-smi measures it.", []string{"index", "name"}, nil)
)

const (
	smiTimeout = 3 * time.Second
	// smiEvery is how old an answer may be: nvidia-smi takes a tenth of a second of a
	// processor.
	smiEvery = 5 * time.Second
)

// Devices measures the CUDA devices of this machine with nvidia-smi, which comes with
// the driver; where there is none there are no such metrics.
func (m *Metrics) Devices() {
	if _, err := exec.LookPath("nvidia-smi"); err == nil {
		m.registry.MustRegister(&deviceCollector{query: querySMI, now: time.Now})
	}
}

func querySMI() ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), smiTimeout)
	defer cancel()
	lines, _, err := gpu.Query(ctx, "index", "name", "memory.used", "memory.total", "utilization.gpu")
	return lines, err
}

type deviceCollector struct {
	query func() ([][]string, error)
	now   func() time.Time

	mu    sync.Mutex
	asked time.Time
	last  []device
}

// device is a line of nvidia-smi's answer; negative where it does not know.
type device struct {
	index, name       string
	used, total, busy float64 // bytes, bytes, ratio
}

// Describe names what Collect gives.
func (c *deviceCollector) Describe(to chan<- *prometheus.Desc) {
	to <- deviceUsedDesc
	to <- deviceTotalDesc
	to <- deviceBusyDesc
}

// Collect asks nvidia-smi, unless it has just been asked. A driver that does not
// answer has no metrics.
func (c *deviceCollector) Collect(to chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.asked) >= smiEvery {
		lines, err := c.query()
		if err != nil {
			lines = nil
		}
		c.last, c.asked = devices(lines), c.now()
	}
	for _, d := range c.last {
		for desc, value := range map[*prometheus.Desc]float64{deviceUsedDesc: d.used, deviceTotalDesc: d.total, deviceBusyDesc: d.busy} {
			if value >= 0 {
				to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, d.index, d.name)
			}
		}
	}
}

// devices are what the lines of nvidia-smi's answer say: memory in MiB, utilisation in
// percent. A value that the device does not support is "[N/A]".
func devices(lines [][]string) []device {
	list := make([]device, len(lines))
	for i, f := range lines {
		list[i] = device{f[0], f[1], number(f[2], 1<<20), number(f[3], 1<<20), number(f[4], 0.01)}
	}
	return list
}

func number(text string, unit float64) float64 {
	x, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(x >= 0) {
		return -1
	}
	return x * unit
}
