package device

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// askProc lists the GPUs that the driver knows and that this process can open, by
// what it says under /proc: less than nvidia-smi tells. root is / but in tests.
func askProc(root string) Found {
	files, err := filepath.Glob(filepath.Join(root, "proc/driver/nvidia/gpus/*/information"))
	if err != nil || len(files) == 0 {
		return Found{}
	}
	slices.Sort(files) // along the PCI bus
	version, _ := os.ReadFile(filepath.Join(root, "proc/driver/nvidia/version"))
	driver := driverVersion(string(version))
	var found Found
	for _, file := range files {
		about, err := readInformation(file)
		if err != nil {
			continue
		}
		// In a container /proc shows the GPUs of the host, /dev those that it was given.
		if _, err := os.Stat(filepath.Join(root, "dev/nvidia"+about["Device Minor"])); err != nil {
			continue
		}
		g := GPU{Index: len(found.GPUs), Name: about["Model"], Driver: driver}
		if g.Name == "" {
			g.Name = "NVIDIA GPU"
		}
		if uuid := about["GPU UUID"]; isUUID(uuid) && !strings.Contains(uuid, "?") { // which it is until the device was used
			g.UUID = uuid
		}
		found.GPUs = append(found.GPUs, g)
	}
	if len(found.GPUs) > 0 {
		found.Notes = []string{fmt.Sprintf("%v: what is known of the GPUs is from /proc/driver/nvidia; instances of a GPU (MIG) are not seen", errNoSMI)}
	}
	return found
}

// readInformation reads lines such as "Model: 		 NVIDIA A100-SXM4-40GB".
func readInformation(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	about := map[string]string{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok {
			about[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return about, lines.Err()
}

var driverLine = regexp.MustCompile(`(?m)^NVRM version: .*?\s(\d+(?:\.\d+)+)\s`)

// driverVersion reads /proc/driver/nvidia/version.
func driverVersion(text string) string {
	if m := driverLine.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
