package device

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// GPU is a device that CUDA can use: a whole GPU, or an instance of one.
type GPU struct {
	// Number is what cuda:N calls it: its place among those that this process may
	// see, from 0.
	Number int `json:"number"`
	// Index is nvidia-smi's, which counts along the PCI bus.
	Index int `json:"index"`
	// UUID is GPU-... or, of an instance, MIG-...; empty where it is not known.
	UUID string `json:"uuid,omitempty"`
	Name string `json:"name"`
	// Memory is in bytes; 0: not known.
	Memory int64 `json:"memory,omitempty"`
	// Driver is the driver's version, as 535.54.03.
	Driver string `json:"driver,omitempty"`
	// CUDA is the newest version of CUDA that the driver can do, as 12.2.
	CUDA string `json:"cuda,omitempty"`
	// Capability is the compute capability, as 8.0.
	Capability string `json:"compute_capability,omitempty"`
}

// String is what messages and tables call the device.
func (g GPU) String() string {
	text := fmt.Sprintf("cuda:%d (%s", g.Number, g.Name)
	if g.Memory > 0 {
		text += fmt.Sprintf(", %.1f GiB", float64(g.Memory)/(1<<30))
	}
	return text + ")"
}

// Env is what shows a process this device alone, as its number 0.
func (g GPU) Env() []string {
	visible := g.UUID
	if visible == "" {
		visible = strconv.Itoa(g.Index)
	}
	return []string{visibleEnv + "=" + visible, "CUDA_DEVICE_ORDER=PCI_BUS_ID"}
}

// Versions are what an outcome keeps of the device.
func (g GPU) Versions() map[string]string {
	v := map[string]string{"gpu": g.Name}
	if g.Driver != "" {
		v["driver"] = g.Driver
	}
	return v
}

// visibleEnv is CUDA's variable for the devices that a process may see.
const visibleEnv = "CUDA_VISIBLE_DEVICES"

// NoGPU is what has a process see no GPU at all.
func NoGPU() []string { return []string{visibleEnv + "="} }

// visible are the devices that CUDA_VISIBLE_DEVICES leaves, in its order. It lists
// indices or beginnings of UUIDs; as for CUDA, what follows one that fits no device
// does not count. Indices are along the PCI bus. Of a GPU that is split into
// instances an index is its first, as CUDA uses no other then.
func visible(all []GPU, list string) []GPU {
	var seen []GPU
	for word := range strings.SplitSeq(list, ",") {
		word = strings.TrimSpace(word)
		at := slices.IndexFunc(all, func(g GPU) bool { return g.fits(word) })
		if at < 0 || slices.ContainsFunc(seen, func(g GPU) bool { return g.same(all[at]) }) {
			break
		}
		seen = append(seen, all[at])
	}
	return seen
}

func (g GPU) same(other GPU) bool { return g.Index == other.Index && g.UUID == other.UUID }

// fits tells whether a word of CUDA_VISIBLE_DEVICES means the device.
func (g GPU) fits(word string) bool {
	if index, err := strconv.Atoi(word); err == nil {
		return index == g.Index
	}
	return isUUID(word) && strings.HasPrefix(g.UUID, word)
}

func isUUID(word string) bool {
	return strings.HasPrefix(word, "GPU-") || strings.HasPrefix(word, "MIG-")
}

// number gives the devices their places.
func number(all []GPU) []GPU {
	for i := range all {
		all[i].Number = i
	}
	return all
}
