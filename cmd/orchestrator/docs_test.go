package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"orchestrator/scheduler/queue"
	"orchestrator/tools/testenv"
)

var update = flag.Bool("update", false, "rewrite the generated pages in docs/")

// TestConfigurationPage holds docs/configuration.md to the table of settings.
func TestConfigurationPage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Settings

Strongest first: flags, environment variables, the configuration file, defaults. The file is the one that --config names, else
`+"`orchestrator.yaml`"+` in the working directory, else `+"`orchestrator/orchestrator.yaml`"+` in the user's configuration folder; a dot in a
setting's name is a level of nesting there. Secrets have no flags, as flags show in process lists.

This page is generated from the program: `+"`go test ./cmd/orchestrator -run TestConfigurationPage -update`"+`.

| setting | flag | environment variable | default | meaning |
|---|---|---|---|---|
`)
	for _, s := range settings {
		flagName, value := "", ""
		if s.flag != "" {
			flagName = "`--" + s.flag + "`"
		}
		if text := fmt.Sprint(s.value); text != "" {
			value = "`" + text + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", s.key, flagName, envName(s.key), value, s.usage)
	}
	holdPage(t, "configuration.md", b.String())
}

// holdPage compares a generated page with the one in docs, or rewrites that.
func holdPage(t *testing.T, name, want string) {
	t.Helper()
	path := filepath.Join(testenv.Root(t), "docs", name)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/%s is out of date, run with -update (-want +got):\n%s", name, diff)
	}
}

// TestCommandPage holds docs/cli.md to the commands.
func TestCommandPage(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Commands

Every command also takes the flags of [settings](configuration.md). `+"`orchestrator man FOLDER`"+` writes the same as manual pages, and
`+"`orchestrator completion bash|zsh|fish|powershell`"+` prints what your shell needs to complete commands, flags and the names of sweeps.

Exit codes of all commands: 0 success, 1 failed, 2 usage or invalid input, 3 a job failed, 4 the sweep is canceled or paused, not completed, 130 interrupted.

This page is generated from the program: `+"`go test ./cmd/orchestrator -run TestCommandPage -update`"+`.
`)
	var write func(c *cobra.Command)
	write = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		if c.HasParent() && c.Runnable() && !c.HasSubCommands() {
			text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(c.Long), strings.TrimSpace(exitHelp)))
			fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n\n%s.\n", strings.TrimPrefix(c.CommandPath(), "orchestrator "), c.UseLine(), c.Short)
			if text != "" {
				fmt.Fprintf(&b, "\n```text\n%s\n```\n", text)
			}
			if flags := strings.TrimRight(c.NonInheritedFlags().FlagUsages(), "\n "); flags != "" {
				fmt.Fprintf(&b, "\n```text\n%s\n```\n", flags)
			}
			if c.Example != "" {
				fmt.Fprintf(&b, "\n```sh\n%s\n```\n", strings.ReplaceAll("\n"+c.Example, "\n  ", "\n")[1:])
			}
		}
		for _, sub := range c.Commands() {
			write(sub)
		}
	}
	write(newRoot(&app{}))
	holdPage(t, "cli.md", b.String())
}

// TestEveryCommandHelps: each command says what it does, with an example and
// the exit codes.
func TestEveryCommandHelps(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no summary", c.CommandPath())
		}
		leaf := !c.HasSubCommands() && !c.Hidden && c.Name() != "version"
		if leaf && (c.Example == "" || !strings.Contains(c.Long, "Exit codes")) {
			t.Errorf("%s has no example, or does not say its exit codes", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(&app{}))
}

// TestSettingsReachChildren: a trainer process sees what its daemon was given.
func TestSettingsReachChildren(t *testing.T) {
	c := config{Store: "s3://b/p", CacheDir: "/c", Library: "/l.so", LogLevel: "debug"}
	c.S3.Endpoint, c.S3.AccessKey, c.S3.SecretKey, c.S3.Region = "http://h:1", "ak", "sk", "r"
	c.S3.CACert = "/ca.pem"
	c.CUDA = cudaConfig{MemoryLimit: "20GiB", Arena: "next_power_of_two", CuDNNSearch: "exhaustive"}
	want := []string{
		"ORCHESTRATOR_STORE=s3://b/p", "ORCHESTRATOR_CACHE_DIR=/c", "ORCHESTRATOR_ONNXRUNTIME_LIBRARY=/l.so",
		"ORCHESTRATOR_LOG_LEVEL=debug", "ORCHESTRATOR_CUDA_MEMORY_LIMIT=20GiB", "ORCHESTRATOR_CUDA_ARENA=next_power_of_two",
		"ORCHESTRATOR_CUDA_CUDNN_SEARCH=exhaustive", "ORCHESTRATOR_CUDA_STRICT=false", "ORCHESTRATOR_S3_ENDPOINT=http://h:1", "ORCHESTRATOR_S3_REGION=r",
		"ORCHESTRATOR_S3_PATH_STYLE=false", "ORCHESTRATOR_S3_CA_CERT=/ca.pem",
	}
	if diff := cmp.Diff(want, c.environ()); diff != "" {
		t.Errorf("the child's environment (-want +got):\n%s", diff)
	}
	if got := c.credentials(); got != (credentials{AccessKey: "ak", SecretKey: "sk"}) {
		t.Errorf("the child's credentials are %+v", got)
	}
	inherited := foreign([]string{"PATH=/bin", "ORCHESTRATOR_REDIS=redis://:pw@h", "AWS_PROFILE=p", "ORCHESTRATOR_REDIS_AUTH_PASSWORD=pw", "ORCHESTRATOR_TEST=1", "OTEL_EXPORTER_OTLP_HEADERS=authorization=pw"})
	if diff := cmp.Diff([]string{"PATH=/bin", "AWS_PROFILE=p", "ORCHESTRATOR_TEST=1"}, inherited); diff != "" {
		t.Errorf("what the child inherits (-want +got):\n%s", diff)
	}
}

// TestRedisSettings: what the settings say of Redis reaches the queue, and no
// password its name.
func TestRedisSettings(t *testing.T) {
	for name, value := range map[string]string{
		"REDIS": "rediss+sentinel://me:first@a,b:1/main/2", "REDIS_AUTH_PASSWORD": "second", "REDIS_AUTH_SENTINEL_USERNAME": "su",
		"REDIS_AUTH_SENTINEL_PASSWORD": "third", "REDIS_AUTH_CA_CERT": "ca.pem", "REDIS_AUTH_CLIENT_CERT": "c.pem", "REDIS_AUTH_CLIENT_KEY": "c.key",
		"REDIS_AUTH_SERVER_NAME": "redis.example",
	} {
		t.Setenv("ORCHESTRATOR_"+name, value)
	}
	a := &app{}
	var err error
	if a.config, err = loadConfig(newRoot(a).PersistentFlags()); err != nil {
		t.Fatal(err)
	}
	got, err := a.redisOptions()
	if err != nil {
		t.Fatal(err)
	}
	want := queue.Options{Username: "me", Password: "second", DB: 2, TLS: true, CACert: "ca.pem", ClientCert: "c.pem", ClientKey: "c.key",
		ServerName: "redis.example", SentinelMaster: "main", SentinelAddrs: []string{"a:26379", "b:1"}, SentinelUsername: "su", SentinelPassword: "third"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.String() != "rediss+sentinel://a:26379,b:1/main/2" {
		t.Errorf("it is named %s", got)
	}
}
