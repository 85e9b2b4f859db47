package device

import (
	"os"
	"path"
	"regexp"
	"strings"
)

// Loaded are the versions of CUDA ("cuda") and of cuDNN ("cudnn") whose libraries this
// process has loaded, as far as the names of their files tell; none on systems
// without /proc.
func Loaded() map[string]string {
	maps, _ := os.ReadFile("/proc/self/maps")
	return loaded(string(maps))
}

// libraryFile is a file such as libcudnn.so.9.10.2.
var libraryFile = regexp.MustCompile(`^lib(cudart|cudnn)\.so\.(\d+(?:\.\d+)*)$`)

// loaded reads the list of what is mapped into a process: the file is the last word
// of a line.
func loaded(maps string) map[string]string {
	names := map[string]string{"cudart": "cuda", "cudnn": "cudnn"}
	var versions map[string]string
	for line := range strings.Lines(maps) {
		m := libraryFile.FindStringSubmatch(path.Base(strings.TrimSpace(line)))
		if m == nil {
			continue
		}
		if versions == nil {
			versions = map[string]string{}
		}
		versions[names[m[1]]] = m[2]
	}
	return versions
}
