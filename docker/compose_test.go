package docker

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/redis/go-redis/v9"
)

const root = ".."

// load reads docker-compose.yml as the compose plugin does, with .env.example as
// the environment and these profiles.
func load(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	env, err := dotenv.Read(filepath.Join(root, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for k, v := range env {
		pairs = append(pairs, k+"="+v)
	}
	project, err := loadWith(pairs, profiles...)
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func loadWith(env []string, profiles ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithEnv(env), cli.WithProfiles(profiles))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func TestServices(t *testing.T) {
	for _, c := range []struct{ profiles, want []string }{
		{nil, []string{"minio", "redis", "serve", "worker"}},
		{[]string{"gpu"}, []string{"minio", "redis", "serve", "worker", "worker-gpu"}},
	} {
		names := load(t, c.profiles...).ServiceNames()
		slices.Sort(names)
		if !slices.Equal(names, c.want) {
			t.Fatalf("profiles %v: services %v, want %v", c.profiles, names, c.want)
		}
	}
	project := load(t, "gpu")
	for name, s := range project.Services {
		if s.HealthCheck == nil || s.HealthCheck.Disable || len(s.HealthCheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		if s.Restart != types.RestartPolicyUnlessStopped {
			t.Errorf("%s: restart is %q", name, s.Restart)
		}
		for _, p := range s.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to the network", name, p.Published)
			}
		}
	}
	for service, needs := range map[string][]string{"worker": {"redis", "minio"}, "worker-gpu": {"redis", "minio"}, "serve": {"redis", "minio"}} {
		for _, need := range needs {
			if got := project.Services[service].DependsOn[need].Condition; got != types.ServiceConditionHealthy {
				t.Errorf("%s waits for %s to be %q, want %q", service, need, got, types.ServiceConditionHealthy)
			}
		}
	}
}

// TestEveryVolumeIsNamed: what a service keeps outlives its container.
func TestEveryVolumeIsNamed(t *testing.T) {
	project := load(t, "gpu")
	for service, target := range map[string]string{"redis": "/data", "minio": "/data", "worker": "/var/cache/orchestrator", "worker-gpu": "/var/cache/orchestrator", "serve": "/var/cache/orchestrator"} {
		volumes := project.Services[service].Volumes
		i := slices.IndexFunc(volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == target })
		if i < 0 || volumes[i].Type != types.VolumeTypeVolume || project.Volumes[volumes[i].Source].Name == "" {
			t.Errorf("%s keeps %s in %v, want a named volume", service, target, volumes)
		}
	}
}

// TestNoSecretsInFile: the file does not load without the passwords, and says
// what to do.
func TestNoSecretsInFile(t *testing.T) {
	_, err := loadWith(nil)
	if err == nil || !strings.Contains(err.Error(), ".env.example") {
		t.Errorf("without passwords: error %v, want one that names .env.example", err)
	}
	example, err := os.ReadFile(filepath.Join(root, ".env.example"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^\w+=(.*)$`).FindAllStringSubmatch(string(example), -1) {
		if !strings.HasPrefix(m[1], "development-only-") {
			t.Errorf(".env.example offers %q, which does not say that it is for development only", m[1])
		}
	}
}

// TestImages: pinned, and what is built has its Dockerfile.
func TestImages(t *testing.T) {
	project := load(t, "gpu")
	var images []string
	for name, s := range project.Services {
		if s.Build == nil {
			images = append(images, s.Image)
			continue
		}
		file := filepath.Join(s.Build.Context, s.Build.Dockerfile)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		images = append(images, baseImages(string(text))...)
		if !regexp.MustCompile(`(?m)^USER (orchestrator|minio)$`).Match(text) {
			t.Errorf("%s runs as root", file)
		}
		if target := s.Build.Target; target != "" && !strings.Contains(string(text), " AS "+target+"\n") {
			t.Errorf("%s: %s has no stage %q", name, file, target)
		}
	}
	if len(images) < 6 {
		t.Fatalf("only %v found", images)
	}
	for _, image := range images {
		if !regexp.MustCompile(`^[a-z0-9/.-]+:[a-z0-9.-]*(\d|trixie)[a-z0-9.-]*$`).MatchString(image) || strings.Contains(image, "latest") {
			t.Errorf("image %q is not pinned", image)
		}
	}
}

// baseImages are those that the stages begin with; a stage may also begin with
// another.
func baseImages(dockerfile string) []string {
	var out, stages []string
	for _, m := range regexp.MustCompile(`(?m)^FROM (\S+)(?: AS (\S+))?`).FindAllStringSubmatch(dockerfile, -1) {
		if !slices.Contains(stages, m[1]) {
			out = append(out, m[1])
		}
		stages = append(stages, m[2])
	}
	return out
}

// TestGPU: the worker of the profile gpu has the devices, and the stage that is
// built without a target is the one for processors.
func TestGPU(t *testing.T) {
	gpu := load(t, "gpu").Services["worker-gpu"]
	if gpu.Deploy == nil || gpu.Deploy.Resources.Reservations == nil || len(gpu.Deploy.Resources.Reservations.Devices) != 1 {
		t.Fatal("worker-gpu reserves no device")
	}
	device := gpu.Deploy.Resources.Reservations.Devices[0]
	if device.Driver != "nvidia" || device.Count != types.DeviceCount(-1) || !slices.Equal(device.Capabilities, []string{"gpu"}) {
		t.Errorf("worker-gpu reserves %+v, want all of NVIDIA's GPUs", device)
	}
	text, err := os.ReadFile(filepath.Join(root, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	stages := regexp.MustCompile(`(?m)^FROM \S+ AS (\S+)$`).FindAllStringSubmatch(string(text), -1)
	if last := stages[len(stages)-1][1]; last != "cpu" {
		t.Errorf("the Dockerfile's last stage is %q", last)
	}
}

// TestVersionsAgree: the server of the tests is the server of the containers,
// and the compilers are the one that go.mod asks for.
func TestVersionsAgree(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	find := func(name, pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(name))
		if m == nil {
			t.Fatalf("%s: nothing matches %s", name, pattern)
		}
		return m[1]
	}
	if a, b := find("Makefile", `MINIO_VERSION := (\S+)`), find("docker/minio/Dockerfile", `ARG MINIO_VERSION=(\S+)`); a != b {
		t.Errorf("the Makefile builds MinIO %s, the image %s", a, b)
	}
	module := find("go.mod", `(?m)^go (\d+\.\d+)`)
	for _, file := range []string{"Dockerfile", "docker/minio/Dockerfile"} {
		if version := find(file, `FROM golang:(\d+\.\d+)`); version != module {
			t.Errorf("%s compiles with Go %s, go.mod says %s", file, version, module)
		}
	}
	// What the build stages copy is there.
	for _, m := range regexp.MustCompile(`(?m)^COPY ([^-\n].*) \S+$`).FindAllStringSubmatch(read("Dockerfile"), -1) {
		for _, path := range strings.Fields(m[1]) {
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("Dockerfile copies what is not there: %v", err)
			}
		}
	}
}

// TestRedisFlags starts a real Redis with the service's own command line and
// asks it what it understood.
func TestRedisFlags(t *testing.T) {
	server, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("redis-server is not on the PATH")
		}
		t.Skip("redis-server is not on the PATH")
	}
	project := load(t)
	service := project.Services["redis"]
	dir := t.TempDir()
	args := slices.Clone([]string(service.Command)[1:])
	for _, c := range service.Configs {
		file := filepath.Join(dir, filepath.Base(c.Target))
		if err := os.WriteFile(file, []byte(project.Configs[c.Source].Content+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		args[slices.Index(args, c.Target)] = file
	}
	password := *service.Environment["REDISCLI_AUTH"]
	got := redisConfig(t, server, dir, args, password)
	want := map[string]string{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "requirepass": password}
	for key, value := range want {
		if got[key] != value {
			t.Errorf("Redis understood %s=%q, want %q", key, got[key], value)
		}
	}
	if slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, password) }) {
		t.Errorf("the password is an argument: %v", args)
	}
}

func redisConfig(t *testing.T, server, dir string, args []string, password string) map[string]string {
	t.Helper()
	socket := filepath.Join(dir, "redis.sock")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, server, append(args, "--port", "0", "--unixsocket", socket, "--dir", dir)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = cmd.Wait() // killed: it has nothing to say
	}()
	return askRedis(t, socket, password)
}

// askRedis waits until the server answers and reads its whole configuration.
func askRedis(t *testing.T, socket, password string) map[string]string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: socket, Password: password})
	defer func() { _ = client.Close() }()
	deadline := time.After(time.Minute)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		config, err := client.ConfigGet(t.Context(), "*").Result()
		if err == nil {
			return config
		}
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("Redis does not answer: %v", err)
		}
	}
}
