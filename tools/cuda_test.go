package tools

import (
	"archive/zip"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"orchestrator/tools/testenv"
)

// pip is a folder of wheels and one of pins, which the script takes instead of the
// registry's and the repository's.
type pip struct {
	wheels, pins string
}

// wheel makes a package with these files, each of which holds its own name.
func (p pip) wheel(t *testing.T, pkg, version string, files ...string) (hash string) {
	t.Helper()
	file, err := os.Create(filepath.Join(p.wheels, strings.ReplaceAll(pkg, "-", "_")+"-"+version+"-py3-none-any.whl"))
	if err != nil {
		t.Fatal(err)
	}
	info := strings.ReplaceAll(pkg, "-", "_") + "-" + version + ".dist-info/"
	w := zip.NewWriter(file)
	for name, text := range map[string]string{
		info + "METADATA": "Metadata-Version: 2.1\nName: " + pkg + "\nVersion: " + version + "\n",
		info + "WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		info + "RECORD":   "",
	} {
		add(t, w, name, text)
	}
	for _, name := range files {
		add(t, w, name, name)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	bytes, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(bytes))
}

func add(t *testing.T, w *zip.Writer, name, text string) {
	t.Helper()
	f, err := w.Create(name)
	if err == nil {
		_, err = f.Write([]byte(text))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (p pip) pin(t *testing.T, file, pkg, version, hash string) {
	t.Helper()
	text := pkg + "==" + version + " \\\n    --hash=sha256:" + hash + "\n"
	if err := os.WriteFile(filepath.Join(p.pins, file), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// install runs the script; the registry is out of reach.
func (p pip) install(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("./install-onnxruntime-cuda.sh", append([]string{"--pins", p.pins}, args...)...)
	cmd.Env = append(os.Environ(), "PIP_NO_INDEX=1", "PIP_FIND_LINKS="+p.wheels)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// newPip offers small packages with files named as the real ones'.
func newPip(t *testing.T) pip {
	t.Helper()
	p := pip{wheels: t.TempDir(), pins: t.TempDir()}
	hash := p.wheel(t, "onnxruntime-gpu", "1.31.1",
		"onnxruntime/capi/libonnxruntime.so.1.31.1", "onnxruntime/capi/libonnxruntime_providers_cuda.so",
		"onnxruntime/capi/libonnxruntime_providers_shared.so", "onnxruntime/capi/libonnxruntime_providers_tensorrt.so",
		"onnxruntime/capi/onnxruntime_pybind11_state.so", "onnxruntime/__init__.py")
	p.pin(t, "cuda-13.txt", "onnxruntime-gpu", "1.31.1", hash)
	hash = p.wheel(t, "nvidia-cudnn-cu13", "9.19.0",
		"nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cudnn/include/cudnn.h", "nvidia/cu13/lib/libnvrtc.alt.so.13", "nvidia/cu13/lib/libnvblas.so.13")
	p.pin(t, "cuda-13-runtime.txt", "nvidia-cudnn-cu13", "9.19.0", hash)
	return p
}

// contents lists the files below dir.
func contents(t *testing.T, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			path, err = filepath.Rel(dir, path)
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestInstallCUDA(t *testing.T) {
	testenv.Daily(t)
	p := newPip(t)
	dir := filepath.Join(t.TempDir(), "onnxruntime-cuda")
	base := []string{"lib/.ready", "lib/libonnxruntime.so.1", "lib/libonnxruntime.so.1.31.1", "lib/libonnxruntime_providers_cuda.so", "lib/libonnxruntime_providers_shared.so"}
	for _, c := range []struct {
		args []string
		more []string
	}{
		{nil, nil},
		{[]string{"--with-tensorrt"}, []string{"lib/libonnxruntime_providers_tensorrt.so"}},
		{[]string{"--with-cuda"}, []string{"lib/libcudnn.so.9"}},
	} {
		out, err := p.install(t, append(c.args, dir)...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", c.args, err, out)
		}
		if want := "export ORCHESTRATOR_ONNXRUNTIME_LIBRARY=" + filepath.Join(dir, "lib"); !strings.Contains(out, want) {
			t.Errorf("%v: no %q in\n%s", c.args, want, out)
		}
		want := slices.Sorted(slices.Values(append(slices.Clone(base), c.more...)))
		if got := contents(t, dir); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Errorf("%v: %v, want %v", c.args, got, want)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "lib", "libonnxruntime.so.1")); err != nil || string(text) != "onnxruntime/capi/libonnxruntime.so.1.31.1" {
		t.Errorf("the library is %q, %v", text, err)
	}
}

// TestInstallCUDATwice: what is whole is not fetched again, and what is damaged is.
func TestInstallCUDATwice(t *testing.T) {
	testenv.Full(t, "TestInstallCUDA")
	p := newPip(t)
	dir := t.TempDir()
	if out, err := p.install(t, dir); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	nothing := pip{wheels: t.TempDir(), pins: p.pins}
	if out, err := nothing.install(t, dir); err != nil {
		t.Errorf("a second call fetched something: %v\n%s", err, out)
	}
	library := filepath.Join(dir, "lib", "libonnxruntime_providers_cuda.so")
	if err := os.WriteFile(library, []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := nothing.install(t, dir); err == nil {
		t.Errorf("a damaged library passes:\n%s", out)
	}
	if out, err := p.install(t, dir); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if text, err := os.ReadFile(library); err != nil || string(text) == "damaged" {
		t.Errorf("the library is still %q, %v", text, err)
	}
}

// TestInstallCUDARefuses: an error says why, and leaves behind what was there.
func TestInstallCUDARefuses(t *testing.T) {
	testenv.Daily(t)
	p := newPip(t)
	for _, c := range []struct {
		name string
		args []string
		mend func(t *testing.T)
		want string
	}{
		{"version", []string{"--cuda", "11"}, nil, "CUDA 12 and one for CUDA 13"},
		{"option", []string{"--cuda"}, nil, "install-onnxruntime-cuda.sh"},
		{"pins", []string{"--cuda", "12"}, nil, "there is no "},
		{"no pip", nil, func(t *testing.T) { t.Setenv("PYTHON", "no-such-python") }, "no-such-python with pip is needed"},
		{"hash", nil, func(t *testing.T) { p.pin(t, "cuda-13.txt", "onnxruntime-gpu", "1.31.1", strings.Repeat("0", 64)) }, "not what its hash says"},
		{"content", nil, func(t *testing.T) {
			hash := p.wheel(t, "onnxruntime-gpu", "1.32.0", "onnxruntime/capi/libonnxruntime.so.1.32.0")
			p.pin(t, "cuda-13.txt", "onnxruntime-gpu", "1.32.0", hash)
		}, "no libonnxruntime with a CUDA provider"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.mend != nil {
				c.mend(t)
			}
			dir := t.TempDir()
			out, err := p.install(t, append(slices.Clone(c.args), dir)...)
			if c.name == "option" {
				out, err = p.install(t, c.args...)
			}
			if err == nil || !strings.Contains(out, c.want) {
				t.Errorf("error %v, want %q in\n%s", err, c.want, out)
			}
			if left := contents(t, dir); len(left) > 0 {
				t.Errorf("it left %v behind", left)
			}
		})
	}
}

// TestCUDAPins: every package of the repository's pins has one exact version and a
// hash for each kind of machine, and CUDA 13 is there for both.
func TestCUDAPins(t *testing.T) {
	entry := regexp.MustCompile(`(?m)^[a-z0-9-]+==[0-9.]+((?: \\\n    --hash=sha256:[0-9a-f]{64})+)\n`)
	for file, want := range map[string]struct{ packages, hashes int }{
		"cuda-12.txt": {1, 1}, "cuda-13.txt": {1, 2}, "cuda-12-runtime.txt": {7, 1}, "cuda-13-runtime.txt": {7, 2},
	} {
		text, err := os.ReadFile(filepath.Join("..", "trainer", "ort", "library", file))
		if err != nil {
			t.Fatal(err)
		}
		entries := entry.FindAllStringSubmatch(string(text), -1)
		if len(entries) != want.packages || len(entries) != strings.Count(string(text), "==") {
			t.Errorf("%s: %d whole entries, want %d", file, len(entries), want.packages)
		}
		for _, e := range entries {
			if n := strings.Count(e[1], "--hash"); n != want.hashes {
				t.Errorf("%s: %q has %d hashes, want %d", file, e[0], n, want.hashes)
			}
		}
	}
}
