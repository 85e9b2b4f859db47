package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/cmd/orchestrator/internal/web"
	"orchestrator/tools/testenv"
)

// TestServeStartsAndEnds: a folder that has no sweep yet is enough; SIGTERM ends it.
func TestServeStartsAndEnds(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	w := newWorkspace(t)
	w.write("orchestrator.yaml", "serve:\n  tokens:\n    - {name: a, role: view, token_sha256: "+digestOf("a-token-of-a-test-123")+"}\n")
	cmd := w.command("serve", "--listen", "127.0.0.1:0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line[strings.Index(line, "http://"):])
	client := &http.Client{Timeout: time.Minute}
	for token, want := range map[string]int{"a-token-of-a-test-123": http.StatusOK, "another": http.StatusUnauthorized} {
		r, err := http.NewRequest("GET", url+"api/v1/sweeps", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("with the token %s: %d", token, answer.StatusCode)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func digestOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// TestServeRefuses: what would let everybody in, and settings that make no sense.
func TestServeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		env  []string
		args []string
		says string
	}{
		"every address":          {nil, []string{"--listen", "0.0.0.0:0"}, "nobody has to sign in"},
		"no address":             {nil, []string{"--listen", ":0"}, "nobody has to sign in"},
		"a public name":          {nil, []string{"--listen", "127.0.0.1:0", "--public-url", "https://sweeps.example"}, "nobody has to sign in"},
		"a certificate alone":    {nil, []string{"--tls-cert", "x.pem"}, "go together"},
		"a missing certificate":  {nil, []string{"--tls-cert", "x.pem", "--tls-key", "x.key"}, "reading the certificate"},
		"a public URL with path": {nil, []string{"--public-url", "https://x.example/path"}, "not the address of a server"},
		"a short token":          {[]string{"ORCHESTRATOR_SERVE_TOKENS=a:view:short"}, nil, "shorter than"},
		"a role that is none":    {[]string{"ORCHESTRATOR_SERVE_TOKENS=a:root:0123456789012345678901"}, nil, "is not a role"},
		"half a token":           {[]string{"ORCHESTRATOR_SERVE_TOKENS=hunter2secret"}, nil, "NAME:ROLE:TOKEN"},
		"half a digest":          {[]string{"ORCHESTRATOR_SERVE_TOKENS=a:view:sha256:abc"}, nil, "hexadecimal"},
		"oidc without a URL":     {[]string{"ORCHESTRATOR_SERVE_OIDC_ISSUER=https://login.example", "ORCHESTRATOR_SERVE_OIDC_CLIENT_ID=x", "ORCHESTRATOR_SERVE_OIDC_VIEW=*"}, nil, "public URL"},
		"a proxy that is none":   {[]string{"ORCHESTRATOR_SERVE_TRUSTED_PROXIES=somewhere"}, nil, "trusted_proxies"},
	} {
		t.Run(name, func(t *testing.T) {
			_, said, code := newWorkspace(t, c.env...).try(append([]string{"serve"}, c.args...)...)
			if code != exitUsage || !strings.Contains(said, c.says) || !strings.Contains(said, "Try:") || strings.Contains(said, "hunter2") {
				t.Errorf("exit code %d: %s", code, said)
			}
		})
	}
}

func TestTokensOfTheEnvironment(t *testing.T) {
	got, err := tokensFromText(reflect.TypeFor[string](), reflect.TypeFor[[]tokenConfig](), "alice:operate:tok:en, bob:view:sha256:abc,")
	if err != nil {
		t.Fatal(err)
	}
	want := []tokenConfig{{Name: "alice", Role: "operate", Token: "tok:en"}, {Name: "bob", Role: "view", SHA256: "abc"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// TestServeTokenIsLetIn: what the command prints is a setting as it stands.
func TestServeTokenIsLetIn(t *testing.T) {
	w := newWorkspace(t)
	token, settings, _ := strings.Cut(w.run("serve", "token", "--name", "alice", "--role", "operate"), "\n\n")
	w.write("orchestrator.yaml", settings)
	root := newRoot(&app{})
	if err := root.PersistentFlags().Set("config", w.dir+"/orchestrator.yaml"); err != nil {
		t.Fatal(err)
	}
	c, err := loadConfig(root.PersistentFlags())
	if err != nil {
		t.Fatal(err)
	}
	access, err := (&app{config: c}).access()
	if err != nil {
		t.Fatal(err)
	}
	if len(access.Tokens) != 1 || access.Tokens[0] != (web.Token{Name: "alice", Role: web.Operate, SHA256: sha256.Sum256([]byte(token))}) {
		t.Errorf("the token %s is let in as %+v", token, access.Tokens)
	}
	for _, args := range [][]string{{"--name", "a", "--role", "root"}, {"--role", "view"}, {"--name", "a:b", "--role", "view"}} {
		if _, said, code := w.try(append([]string{"serve", "token"}, args...)...); code != exitUsage {
			t.Errorf("%v: %d %s", args, code, said)
		}
	}
}
