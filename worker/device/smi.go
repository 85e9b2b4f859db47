package device

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// smiTimeout bounds a call of nvidia-smi, which hangs where a driver does. The first
// call after a start of the machine initialises the devices, which takes seconds
// where nothing keeps them awake.
const smiTimeout = 20 * time.Second

// errNoSMI says that there is no nvidia-smi.
var errNoSMI = errors.New("nvidia-smi is not on the PATH")

// SMIError says what nvidia-smi has against an answer.
type SMIError struct {
	Said string // its own words, or what became of it
	Err  error
}

// Error is one line.
func (e *SMIError) Error() string { return "nvidia-smi does not list the devices: " + e.Said }

// Unwrap is what happened to the process.
func (e *SMIError) Unwrap() error { return e.Err }

// Hint says where to look.
func (e *SMIError) Hint() string {
	return "run nvidia-smi: it fails without NVIDIA's driver, in a container without GPUs, and until the machine is restarted after an update of the driver; --devices cpu trains on the processors"
}

// ExitCode is that of a wrong configuration.
func (e *SMIError) ExitCode() int { return 2 }

// smi runs nvidia-smi and returns what it writes.
func smi(ctx context.Context, args ...string) (string, error) {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return "", errNoSMI
	}
	ctx, cancel := context.WithTimeout(ctx, smiTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.WaitDelay = time.Second
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", &SMIError{"it does not answer", ctx.Err()}
	}
	if err != nil {
		return "", &SMIError{firstLine(out.String()+"\n"+errOut.String(), err.Error()), err} // it complains on either
	}
	return out.String(), nil
}

// firstLine is the first one that is not empty, or else.
func firstLine(text, otherwise string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			return strings.ToValidUTF8(line[:min(len(line), 300)], "")
		}
	}
	return otherwise
}

// Query asks nvidia-smi for properties of all GPUs, of which the first is the index.
// Memory is in MiB then, utilisation in percent. strange are lines that are none.
func Query(ctx context.Context, properties ...string) (lines [][]string, strange []string, err error) {
	text, err := smi(ctx, "--query-gpu="+strings.Join(properties, ","), "--format=csv,noheader,nounits")
	if err != nil {
		return nil, nil, err
	}
	lines, strange = parseQuery(text, len(properties))
	return lines, strange, nil
}

// parseQuery reads lines such as "0, NVIDIA H100 80GB HBM3, 4, 81559, 97". A value
// that a device does not have is in brackets, as [N/A].
func parseQuery(text string, properties int) (lines [][]string, strange []string) {
	for line := range strings.Lines(text) {
		r := csv.NewReader(strings.NewReader(line))
		r.TrimLeadingSpace, r.FieldsPerRecord, r.LazyQuotes = true, -1, true
		f, err := r.Read()
		if err != nil && strings.TrimSpace(line) == "" {
			continue
		}
		if err != nil || len(f) != properties || !isIndex(f[0]) { // such as "No devices were found"
			strange = append(strange, firstLine(line, ""))
			continue
		}
		for i := range f {
			f[i] = strings.TrimSpace(f[i])
		}
		lines = append(lines, f)
	}
	return lines, strange
}

func isIndex(text string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	return err == nil && n >= 0
}

// known is a value of nvidia-smi, "" where the device has none.
func known(value string) string {
	if strings.HasPrefix(value, "[") || value == "N/A" || value == "ERR!" {
		return ""
	}
	return value
}

var (
	basic = []string{"index", "uuid", "name", "memory.total", "driver_version"}
	// newer are properties that drivers before 510 do not know.
	newer = []string{"compute_cap", "mig.mode.current"}
)

// askSMI lists the GPUs of the machine, those that are split by their instances.
func askSMI(ctx context.Context) (Found, error) {
	lines, strange, err := Query(ctx, append(slices.Clone(basic), newer...)...)
	var failed *SMIError
	if errors.As(err, &failed) && strings.Contains(failed.Said, "not a valid field") {
		lines, strange, err = Query(ctx, basic...)
	}
	if failed = nil; errors.As(err, &failed) && strings.Contains(failed.Said, noDevices) {
		return Found{}, nil
	}
	if err != nil {
		return Found{}, err
	}
	found := Found{Notes: notes(strange)}
	split := false
	for _, f := range lines {
		g, mig := parseGPU(f)
		split = split || mig
		found.GPUs = append(found.GPUs, g)
	}
	if len(found.GPUs) == 0 {
		return found, nil
	}
	if split {
		if err := found.splitUp(ctx, lines); err != nil {
			return Found{}, err
		}
	}
	cuda := askCUDA(ctx)
	for i := range found.GPUs {
		found.GPUs[i].CUDA = cuda
	}
	return found, nil
}

// noDevices is what nvidia-smi says, in some versions with an error.
const noDevices = "No devices were found"

func notes(strange []string) []string {
	strange = slices.DeleteFunc(strange, func(line string) bool { return strings.Contains(line, noDevices) })
	for i := range strange {
		strange[i] = "nvidia-smi says: " + strange[i]
	}
	return strange
}

// parseGPU reads a line of askSMI's query, and tells whether the GPU is split.
func parseGPU(f []string) (g GPU, split bool) {
	g.Index, _ = strconv.Atoi(f[0]) // parseQuery has looked
	g.UUID, g.Name, g.Driver = known(f[1]), known(f[2]), known(f[4])
	if g.Name == "" {
		g.Name = "NVIDIA GPU"
	}
	if mib, err := strconv.ParseInt(f[3], 10, 32); err == nil && mib > 0 {
		g.Memory = mib << 20
	}
	if len(f) > len(basic) {
		g.Capability, split = known(f[5]), f[6] == "Enabled"
	}
	return g, split
}

// splitUp puts instances in the places of the GPUs that are split.
func (f *Found) splitUp(ctx context.Context, lines [][]string) error {
	text, err := smi(ctx, "-L")
	if err != nil {
		return err
	}
	instances := parseInstances(text)
	var all []GPU
	for i, g := range f.GPUs {
		if lines[i][6] != "Enabled" {
			all = append(all, g)
			continue
		}
		if len(instances[g.Index]) == 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("GPU %d (%s) is in MIG mode and has no instance: nothing can use it until one is made (nvidia-smi mig -cgi) or the mode is off", g.Index, g.Name))
		}
		for _, one := range instances[g.Index] {
			part := g
			part.UUID, part.Name, part.Memory = one.uuid, g.Name+" MIG "+one.profile, 0
			all = append(all, part)
		}
	}
	f.GPUs = all
	return nil
}

type instance struct{ profile, uuid string }

var (
	gpuLine      = regexp.MustCompile(`^GPU (\d+): `)
	instanceLine = regexp.MustCompile(`^\s+MIG (\S+)\s+Device\s+\d+: \(UUID: (MIG-[0-9A-Za-z/-]+)\)`)
)

// parseInstances reads what nvidia-smi -L says of instances, by the index of the GPU:
//
//	GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-...)
//	  MIG 3g.20gb     Device  0: (UUID: MIG-c6d4f1ef-...)
func parseInstances(text string) map[int][]instance {
	all, gpu := map[int][]instance{}, -1
	for line := range strings.Lines(text) {
		if m := gpuLine.FindStringSubmatch(line); m != nil {
			var err error
			if gpu, err = strconv.Atoi(m[1]); err != nil {
				gpu = -1
			}
		}
		if m := instanceLine.FindStringSubmatch(line); m != nil && gpu >= 0 {
			all[gpu] = append(all[gpu], instance{m[1], m[2]})
		}
	}
	return all
}

var cudaVersion = regexp.MustCompile(`CUDA Version\s*:\s*(\d+\.\d+)`)

// askCUDA is the version of CUDA that the driver can do, "" where nvidia-smi does not
// tell: no property of a GPU has it.
func askCUDA(ctx context.Context) string {
	text, err := smi(ctx, "-q", "-d", "COMPUTE")
	if err != nil {
		return ""
	}
	if m := cudaVersion.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
