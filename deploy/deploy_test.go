package deploy

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	k8syaml "sigs.k8s.io/yaml"
)

// cluster is what the manifests of a folder describe.
type cluster struct {
	services map[string]*corev1.Service
	pods     map[string]pod // by the name of what makes them
	policies []*networkingv1.NetworkPolicy
}

type pod struct {
	selector *metav1.LabelSelector
	template corev1.PodTemplateSpec
	claims   []corev1.PersistentVolumeClaim
}

// kustomization is what is used of one.
type kustomization struct {
	APIVersion         string              `json:"apiVersion"`
	Kind               string              `json:"kind"`
	Namespace          string              `json:"namespace"`
	Resources          []string            `json:"resources"`
	Labels             []map[string]any    `json:"labels"`
	Images             []map[string]string `json:"images"`
	ConfigMapGenerator []generator         `json:"configMapGenerator"`
	SecretGenerator    []generator         `json:"secretGenerator"`
}

type generator struct {
	Name  string   `json:"name"`
	Files []string `json:"files"`
	Envs  []string `json:"envs"`
}

func readKustomization(t *testing.T, dir string) kustomization {
	t.Helper()
	var k kustomization
	text, err := os.ReadFile(filepath.Join(dir, "kustomization.yaml"))
	if err == nil {
		err = k8syaml.UnmarshalStrict(text, &k)
	}
	if err != nil {
		t.Fatalf("%s: %v", dir, err)
	}
	return k
}

// load reads the manifests that a kustomization names, each field of which the
// Kubernetes API has to know.
func load(t *testing.T, dir string) *cluster {
	t.Helper()
	c := &cluster{services: map[string]*corev1.Service{}, pods: map[string]pod{}}
	for _, name := range readKustomization(t, dir).Resources {
		if strings.HasPrefix(name, "../") {
			base := load(t, filepath.Join(dir, name))
			for k, v := range base.services {
				c.services[k] = v
			}
			for k, v := range base.pods {
				c.pods[k] = v
			}
			c.policies = append(c.policies, base.policies...)
			continue
		}
		file := filepath.Join(dir, name)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range documents(t, text) {
			c.add(t, file, document)
		}
	}
	return c
}

func documents(t *testing.T, text []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var node yaml.Node
		if err := d.Decode(&node); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		document, err := yaml.Marshal(&node)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
}

func (c *cluster) add(t *testing.T, file string, document []byte) {
	t.Helper()
	read := func(into any) {
		t.Helper()
		if err := k8syaml.UnmarshalStrict(document, into); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var kind metav1.TypeMeta
	if err := k8syaml.Unmarshal(document, &kind); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	switch kind.APIVersion + " " + kind.Kind {
	case "v1 Namespace":
		read(new(corev1.Namespace))
	case "v1 Service":
		s := new(corev1.Service)
		read(s)
		c.services[s.Name] = s
	case "apps/v1 Deployment":
		d := new(appsv1.Deployment)
		read(d)
		c.pods[d.Name] = pod{selector: d.Spec.Selector, template: d.Spec.Template}
	case "apps/v1 StatefulSet":
		s := new(appsv1.StatefulSet)
		read(s)
		c.pods[s.Name] = pod{selector: s.Spec.Selector, template: s.Spec.Template, claims: s.Spec.VolumeClaimTemplates}
	case "networking.k8s.io/v1 NetworkPolicy":
		p := new(networkingv1.NetworkPolicy)
		read(p)
		c.policies = append(c.policies, p)
	default:
		t.Fatalf("%s: %s %s is not looked at by this test", file, kind.APIVersion, kind.Kind)
	}
}

func TestManifests(t *testing.T) {
	for _, dir := range []string{"kubernetes/base", "kubernetes/minio", "kubernetes/gpu"} {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c := load(t, dir)
			for _, name := range []string{"redis", "worker", "serve"} {
				if _, there := c.pods[name]; !there {
					t.Errorf("nothing runs %s", name)
				}
			}
			for name, p := range c.pods {
				c.checkPod(t, name, p)
			}
			for name, s := range c.services {
				c.checkService(t, name, s)
			}
			c.checkPolicies(t)
		})
	}
}

// checkPod: selectors select, probes look at ports that are there, what is mounted
// exists, and it runs with as few rights as the restricted standard asks for.
func (c *cluster) checkPod(t *testing.T, name string, p pod) {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(p.selector)
	if err != nil || !selector.Matches(labels.Set(p.template.Labels)) {
		t.Errorf("%s does not select its own pods: %v", name, err)
	}
	spec := p.template.Spec
	if s := spec.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
		t.Errorf("%s may run as root", name)
	}
	volumes := map[string]bool{}
	for _, v := range spec.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range p.claims {
		volumes[v.Name] = true
	}
	for _, container := range spec.Containers {
		s := container.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
			t.Errorf("%s: container %s has rights that it does not need", name, container.Name)
		}
		if container.Resources.Limits.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: container %s does not say what it takes", name, container.Name)
		}
		for _, m := range container.VolumeMounts {
			if !volumes[m.Name] {
				t.Errorf("%s mounts %s, which is no volume of its", name, m.Name)
			}
		}
		ports := map[string]bool{}
		for _, port := range container.Ports {
			ports[port.Name] = true
		}
		for _, probe := range []*corev1.Probe{container.ReadinessProbe, container.LivenessProbe, container.StartupProbe} {
			if probe == nil {
				continue
			}
			if h := probe.HTTPGet; h != nil && !ports[h.Port.StrVal] {
				t.Errorf("%s: a probe looks at port %s, which is not there", name, h.Port.String())
			}
			if s := probe.TCPSocket; s != nil && !ports[s.Port.StrVal] {
				t.Errorf("%s: a probe looks at port %s, which is not there", name, s.Port.String())
			}
		}
		if container.ReadinessProbe == nil && container.StartupProbe == nil {
			t.Errorf("%s: container %s has no probe", name, container.Name)
		}
	}
}

// checkService: it leads to a port of pods that exist.
func (c *cluster) checkService(t *testing.T, name string, s *corev1.Service) {
	t.Helper()
	for _, p := range c.pods {
		if !labels.SelectorFromSet(s.Spec.Selector).Matches(labels.Set(p.template.Labels)) {
			continue
		}
		for _, port := range p.template.Spec.Containers[0].Ports {
			if port.Name == s.Spec.Ports[0].TargetPort.StrVal {
				return
			}
		}
	}
	t.Errorf("service %s leads nowhere", name)
}

// checkPolicies: each is about pods that exist.
func (c *cluster) checkPolicies(t *testing.T) {
	t.Helper()
	for _, policy := range c.policies {
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range c.pods {
			found = found || selector.Matches(labels.Set(p.template.Labels))
		}
		if !found {
			t.Errorf("network policy %s is about no pod", policy.Name)
		}
	}
}

// TestGPUWorker: it asks for one GPU, may go where the GPUs are, and runs an image
// that the kustomization knows.
func TestGPUWorker(t *testing.T) {
	spec := load(t, "kubernetes/gpu").pods["worker-cuda"].template.Spec
	container := spec.Containers[0]
	if gpus := container.Resources.Limits["nvidia.com/gpu"]; gpus.Value() != 1 {
		t.Errorf("%s GPUs, want 1", gpus.String())
	}
	want := corev1.Toleration{Key: "nvidia.com/gpu", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}
	if !slices.Contains(spec.Tolerations, want) {
		t.Errorf("tolerations %v, want %v", spec.Tolerations, want)
	}
	if images := readKustomization(t, "kubernetes/gpu").Images; len(images) != 1 || images[0]["name"] != container.Image {
		t.Errorf("the kustomization names %v, the container runs %s", images, container.Image)
	}
}

// TestDrainFits: Kubernetes and systemd wait longer than a worker may take to write
// its checkpoints.
func TestDrainFits(t *testing.T) {
	const grace = 5 * 60 // worker.Options.StopGrace
	pods := load(t, "kubernetes/gpu").pods
	for _, name := range []string{"worker", "worker-cuda"} {
		if got := *pods[name].template.Spec.TerminationGracePeriodSeconds; got <= grace {
			t.Errorf("a pod of %s is killed after %d s, in the middle of its checkpoint", name, got)
		}
	}
	unit, err := os.ReadFile("systemd/orchestrator-worker@.service")
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^TimeoutStopSec=6min$`).Match(unit) || !regexp.MustCompile(`(?m)^KillMode=mixed$`).Match(unit) {
		t.Error("the worker's unit does not give it the time to drain")
	}
}

// TestGenerated: what kustomize makes of files is made of files that are there, and
// under the names that the pods ask for. The secrets are those of the example.
func TestGenerated(t *testing.T) {
	dir := "kubernetes/base"
	k := readKustomization(t, dir)
	names := map[string]bool{}
	for _, g := range append(k.ConfigMapGenerator, k.SecretGenerator...) {
		names[g.Name] = true
		for _, file := range append(g.Files, g.Envs...) {
			if file == "secrets.env" {
				file += ".example"
			}
			if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
				t.Error(err)
			}
		}
	}
	example, err := os.ReadFile(filepath.Join(dir, "secrets.env.example"))
	if err != nil {
		t.Fatal(err)
	}
	pods := load(t, "kubernetes/minio").pods
	maps.Copy(pods, load(t, "kubernetes/gpu").pods)
	for name, p := range pods {
		for _, container := range p.template.Spec.Containers {
			for _, e := range container.EnvFrom {
				if !names[e.SecretRef.Name] {
					t.Errorf("%s takes its environment from %s, which nothing makes", name, e.SecretRef.Name)
				}
			}
			for _, e := range container.Env {
				if ref := e.ValueFrom.SecretKeyRef; !names[ref.Name] || !bytes.Contains(example, []byte(ref.Key+"=")) {
					t.Errorf("%s: %s is of the secret %s, key %s, which is not there", name, e.Name, ref.Name, ref.Key)
				}
			}
		}
		for _, v := range p.template.Spec.Volumes {
			if v.ConfigMap != nil && !names[v.ConfigMap.Name] {
				t.Errorf("%s mounts the map %s, which nothing makes", name, v.ConfigMap.Name)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^\w+=(.*)$`).FindAllSubmatch(example, -1) {
		if !bytes.Contains(m[1], []byte("development-only-")) {
			t.Errorf("the example offers %s, which does not say that it is for development only", m[1])
		}
	}
}

// TestUnits: systemd understands them. The program is a stand-in: verify wants it to
// be there.
func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("systemd-analyze is not on the PATH")
		}
		t.Skip("systemd-analyze is not on the PATH")
	}
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) != 2 {
		t.Fatalf("units %v, %v", units, err)
	}
	dir := t.TempDir()
	addGPU(t, dir)
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("/opt/orchestrator/bin/orchestrator"), []byte("/bin/true"))
		text = regexp.MustCompile(`(?m)^Documentation=.*$`).ReplaceAll(text, nil) // the manual pages are not installed
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(unit)), text, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(analyze, "verify", "--recursive-errors=no", "--man=no", filepath.Join(dir, filepath.Base(unit))).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
}

// addGPU puts the addition for GPU hosts to where systemd reads it for the unit.
func addGPU(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile("systemd/gpu.conf")
	if err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "orchestrator-worker@.service.d")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "gpu.conf"), text, 0o644); err != nil {
		t.Fatal(err)
	}
}
