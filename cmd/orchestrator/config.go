package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue"
	"orchestrator/worker/device"
)

// config is every setting that is not part of a sweep. It is decoded here once;
// the other packages take plain structs.
type config struct {
	Output   string `mapstructure:"output"`
	Store    string `mapstructure:"store"`
	Redis    string `mapstructure:"redis"`
	CacheDir string `mapstructure:"cache_dir"`
	// CacheSize is as written; cacheBytes is what it means.
	CacheSize string `mapstructure:"cache_size"`
	Library   string `mapstructure:"onnxruntime_library"`
	LogLevel  string `mapstructure:"log_level"`
	LogForm   string `mapstructure:"log_format"`
	Metrics   string `mapstructure:"metrics_listen"`
	Devices   string `mapstructure:"devices"`

	CUDA cudaConfig `mapstructure:"cuda"`

	S3 struct {
		Endpoint     string `mapstructure:"endpoint"`
		AccessKey    string `mapstructure:"access_key"`
		SecretKey    string `mapstructure:"secret_key"`
		SessionToken string `mapstructure:"session_token"`
		Region       string `mapstructure:"region"`
		PathStyle    bool   `mapstructure:"path_style"`
		CACert       string `mapstructure:"ca_cert"`
	} `mapstructure:"s3"`

	RedisAuth struct {
		Username         string `mapstructure:"username"`
		Password         string `mapstructure:"password"`
		SentinelUsername string `mapstructure:"sentinel_username"`
		SentinelPassword string `mapstructure:"sentinel_password"`
		CACert           string `mapstructure:"ca_cert"`
		ClientCert       string `mapstructure:"client_cert"`
		ClientKey        string `mapstructure:"client_key"`
		ServerName       string `mapstructure:"server_name"`
	} `mapstructure:"redis_auth"`

	Serve  serveConfig `mapstructure:"serve"`
	Notify struct {
		Webhook string `mapstructure:"webhook"`
		Secret  string `mapstructure:"secret"`
		On      string `mapstructure:"on"`
	} `mapstructure:"notify"`
}

// settings lists every key with its default and meaning: the source of the
// flags, of the environment variables and of docs/configuration.md.
var settings = []struct {
	key, flag, usage string
	value            any
	secret           bool // never a flag: it would show in process lists
}{
	{"output", "output", "how results are printed: table or json (results and report also csv, latex; model graph also dot)", "table", false},
	{"store", "store", "artifact store: a folder, or s3://bucket/prefix", filepath.Join(".orchestrator", "store"), false},
	{"redis", "redis", "Redis for submit and worker: host:port, redis://host:port/db, redis+sentinel://host1,host2/master, redis+cluster://host1,host2; rediss... for TLS (run brings its own)", "", false},
	{"cache_dir", "cache-dir", "folder for fetched data sets and models, decoded pictures and features", "", false},
	{"cache_size", "cache-size", "what that folder may take, as 50GiB, beyond what running jobs hold; what was used longest ago goes first; 0: any size", "50GiB", false},
	{"onnxruntime_library", "onnxruntime-library", "ONNX Runtime shared library (default: the one that make setup installs)", "", false},
	{"log_level", "log-level", "debug, info, warn or error", "info", false},
	{"log_format", "log-format", "how messages are written to standard error: text or json, one per line", "text", false},
	{"metrics_listen", "metrics-listen", "where a worker serves Prometheus metrics, such as 127.0.0.1:9464 (without a login); empty: nowhere", "", false},
	{"devices", "devices", ofDevices + "what to train on, one job at a time on each CUDA device: auto (the CUDA devices that the machine and the library have, else cpu), or a list of cpu, cuda (all), cuda:0, cuda:1, ...", "auto", false},
	{"cuda.memory_limit", "cuda-memory-limit", ofDevices + "what each graph of a job may take of a CUDA device's memory, as 20GiB; 0: all there is", "0", false},
	{"cuda.arena", "cuda-arena", ofDevices + "how that memory grows: same_as_requested (no more than is needed) or next_power_of_two (fewer and larger steps)", "same_as_requested", false},
	{"cuda.cudnn_search", "cuda-cudnn-search", ofDevices + "how cuDNN's algorithms are chosen: heuristic (at once), exhaustive (each is timed first; the choice, and so the last bits, may differ between runs) or default", "heuristic", false},
	{"cuda.strict", "cuda-strict", ofDevices + "a node that CUDA leaves to the processor fails the job; false: it is logged", false, false},
	{"s3.endpoint", "s3-endpoint", "URL of the S3 server, such as http://127.0.0.1:9000", "", false},
	{"s3.region", "s3-region", "S3 region", "us-east-1", false},
	{"s3.path_style", "s3-path-style", "address buckets by path (host/bucket); false: by host name (bucket.host)", true, false},
	{"s3.ca_cert", "s3-ca-cert", "PEM file with the CA of an https:// endpoint (default: the system's)", "", false},
	{"s3.access_key", "", "S3 access key; without one, keys are looked for where Amazon's tools do", "", true},
	{"s3.secret_key", "", "S3 secret key", "", true},
	{"s3.session_token", "", "S3 session token of temporary credentials", "", true},
	{"redis_auth.username", "", "Redis ACL user", "", true},
	{"redis_auth.password", "", "Redis password", "", true},
	{"redis_auth.sentinel_username", "", "ACL user of the sentinels", "", true},
	{"redis_auth.sentinel_password", "", "password of the sentinels", "", true},
	{"redis_auth.ca_cert", "", "PEM file with the CA of rediss:// servers (default: the system's)", "", true},
	{"redis_auth.client_cert", "", "PEM file with the certificate to show to servers that ask for one (mutual TLS)", "", true},
	{"redis_auth.client_key", "", "PEM file with the key of that certificate", "", true},
	{"redis_auth.server_name", "", "name in the servers' certificates (default: the host in the address)", "", true},
	{"serve.public_url", "public-url", "of serve: where users find it when something stands before it, such as https://orchestrator.example", "", false},
	{"serve.tls_cert", "tls-cert", "of serve: PEM file with the server's certificate", "", false},
	{"serve.tls_key", "tls-key", "of serve: PEM file with the certificate's key", "", false},
	{"serve.trusted_proxies", "", "of serve: addresses or networks, such as 10.0.0.0/8, whose X-Forwarded-For is believed", "", true},
	{"serve.tokens", "", "of serve: who may sign in by a token: a list of name, role, and token or token_sha256; in the environment NAME:ROLE:TOKEN or NAME:ROLE:sha256:DIGEST, with commas", "", true},
	{"serve.oidc.issuer", "", "of serve: URL of an OpenID Connect provider to sign in at", "", true},
	{"serve.oidc.client_id", "", "of serve: what the provider knows us as", "", true},
	{"serve.oidc.client_secret", "", "of serve: its secret for us", "", true},
	{"serve.oidc.name", "", "of serve: what the provider is called on the button", "", true},
	{"serve.oidc.scopes", "", "of serve: what to ask the provider for, besides openid", "profile email", true},
	{"serve.oidc.groups_claim", "", "of serve: the claim that lists somebody's groups", "groups", true},
	{"serve.oidc.view", "", "of serve: who may look: email addresses, group:NAME, or * for everybody whom the provider knows", "", true},
	{"serve.oidc.operate", "", "of serve: who may also pause, resume, cancel, retry and change sweeps", "", true},
	{"serve.oidc.admin", "", "of serve: who may also change the queue", "", true},
	{"notify.webhook", "", "http or https address that is told what becomes of sweeps; a secret, as chat services put a password into it", "", true},
	{"notify.secret", "", "key that notifications are signed with: whsec_ and base64", "", true},
	{"notify.on", "", "what is told, of completed, failed, canceled, paused, job_failed", "completed,failed,canceled,job_failed", false},
}

// envName is the environment variable of a setting: s3.access_key is
// ORCHESTRATOR_S3_ACCESS_KEY.
func envName(key string) string {
	return "ORCHESTRATOR_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// addFlags adds those of some commands alone. They are used as the settings' table
// says, but for the commands' names.
func addFlags(flags *pflag.FlagSet, names []string) {
	for _, s := range settings {
		if !slices.Contains(names, s.flag) {
			continue
		}
		usage := strings.TrimPrefix(strings.TrimPrefix(s.usage, "of serve: "), ofDevices)
		switch v := s.value.(type) {
		case string:
			flags.String(s.flag, v, usage)
		case bool:
			flags.Bool(s.flag, v, usage)
		}
	}
}

func addConfigFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "configuration file (default: orchestrator.yaml here, then in the user's configuration folder)")
	var names []string
	for _, s := range settings {
		if s.flag != "" && !slices.Contains(serveFlags, s.flag) && !slices.Contains(deviceFlags, s.flag) {
			names = append(names, s.flag)
		}
	}
	addFlags(flags, names)
}

// loadConfig reads, strongest first: flags, environment, configuration file,
// defaults.
func loadConfig(flags *pflag.FlagSet) (config, error) {
	v := viper.New()
	for _, s := range settings {
		v.SetDefault(s.key, s.value)
		if err := v.BindEnv(s.key, envName(s.key)); err != nil {
			return config{}, err
		}
		if f := flags.Lookup(s.flag); f != nil {
			if err := v.BindPFlag(s.key, f); err != nil {
				return config{}, err
			}
		}
	}
	if err := readConfigFile(v, flags); err != nil {
		return config{}, err
	}
	var c config
	if err := v.UnmarshalExact(&c, viper.DecodeHook(decodeHook)); err != nil {
		return config{}, usagef("the known settings are: "+knownSettings(), "%s: %w", v.ConfigFileUsed(), err)
	}
	if f := flags.Lookup("redis"); f.Changed && holdsPassword(c.Redis) {
		return c, usagef("set "+envName("redis_auth.password")+", or the whole address as "+envName("redis"),
			"the password in --redis can be read by everybody in the list of processes")
	}
	return c, c.finish()
}

// holdsPassword tells whether an address has one in it.
func holdsPassword(address string) bool {
	_, rest, _ := strings.Cut(address, "://")
	end := strings.LastIndex(rest, "@")
	if end < 0 {
		return false
	}
	_, password, _ := strings.Cut(rest[:end], ":")
	return password != ""
}

func readConfigFile(v *viper.Viper, flags *pflag.FlagSet) error {
	file, _ := flags.GetString("config")
	if file == "" {
		if file = findConfigFile(); file == "" {
			return nil
		}
	}
	v.SetConfigFile(file)
	if err := v.ReadInConfig(); err != nil {
		return usagef("check the path and the YAML syntax", "reading the configuration %s: %w", file, err)
	}
	return nil
}

// findConfigFile looks in the places where no flag needs to point at. The name
// is asked for exactly: viper's own search would also take the program itself.
func findConfigFile() string {
	candidates := []string{"orchestrator.yaml"}
	if dir, err := os.UserConfigDir(); err == nil {
		candidates = append(candidates, filepath.Join(dir, "orchestrator", "orchestrator.yaml"))
	}
	for _, c := range candidates {
		if info, err := os.Stat(c); err == nil && info.Mode().IsRegular() {
			return c
		}
	}
	return ""
}

func knownSettings() string {
	keys := make([]string, len(settings))
	for i, s := range settings {
		keys[i] = s.key
	}
	return strings.Join(keys, ", ")
}

func (c *config) finish() error {
	if c.CacheDir == "" {
		dir, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("no folder for the cache: %w", err)
		}
		c.CacheDir = filepath.Join(dir, "orchestrator")
	}
	var err error
	if c.CacheDir, err = filepath.Abs(c.CacheDir); err != nil {
		return err
	}
	if _, err := c.cacheBytes(); err != nil {
		return err
	}
	if _, err := device.ParseChoice(c.Devices); err != nil {
		return err
	}
	if err := c.CUDA.check(); err != nil {
		return err
	}
	switch c.Output {
	case "table", "text", "json", "csv", "latex", "dot":
		return nil
	}
	return usagef("--output table or --output json", "output format %q is not known", c.Output)
}

// secrets are the values that no log may show. Names of users are not among them.
func (c *config) secrets() []string {
	secrets := []string{c.S3.SecretKey, c.S3.SessionToken, c.RedisAuth.Password, c.RedisAuth.SentinelPassword,
		c.Notify.Webhook, c.Notify.Secret}
	if o, err := queue.ParseURL(c.Redis); err == nil {
		secrets = append(secrets, o.Password)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}

// cacheBytes is the size that the cache is kept to; 0: any.
func (c *config) cacheBytes() (int64, error) {
	if c.CacheSize == "0" {
		return 0, nil
	}
	size, ok := plan.ParseBytes(c.CacheSize)
	if !ok {
		return 0, usagef("--cache-size 50GiB, or 0 for any size", "the cache size %q is no size", c.CacheSize)
	}
	return int64(size), nil
}

// logger writes messages of the level of the settings, and of least at least.
func (c *config) logger(w io.Writer, least slog.Level) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, usagef("--log-level debug, info, warn or error", "log level %q is not known", c.LogLevel)
	}
	o := &slog.HandlerOptions{Level: max(level, least)}
	switch c.LogForm {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, usagef("--log-format text or --log-format json", "log format %q is not known", c.LogForm)
}
