package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"net/url"
	"reflect"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/cobra"

	"orchestrator/cmd/orchestrator/internal/web"
)

// serveConfig is what `serve` is told by settings.
type serveConfig struct {
	PublicURL      string        `mapstructure:"public_url"`
	TLSCert        string        `mapstructure:"tls_cert"`
	TLSKey         string        `mapstructure:"tls_key"`
	TrustedProxies string        `mapstructure:"trusted_proxies"`
	Tokens         []tokenConfig `mapstructure:"tokens"`
	OIDC           oidcConfig    `mapstructure:"oidc"`
}

// tokenConfig is a token that one may sign in with: itself, or its digest.
type tokenConfig struct {
	Name   string `mapstructure:"name"`
	Role   string `mapstructure:"role"`
	Token  string `mapstructure:"token"`
	SHA256 string `mapstructure:"token_sha256"`
}

type oidcConfig struct {
	Issuer       string `mapstructure:"issuer"`
	ClientID     string `mapstructure:"client_id"`
	ClientSecret string `mapstructure:"client_secret"`
	Name         string `mapstructure:"name"`
	Scopes       string `mapstructure:"scopes"`
	GroupsClaim  string `mapstructure:"groups_claim"`
	View         string `mapstructure:"view"`
	Operate      string `mapstructure:"operate"`
	Admin        string `mapstructure:"admin"`
}

// serveFlags are flags of serve alone, not of every command.
var serveFlags = []string{"public-url", "tls-cert", "tls-key"}

// shortestToken is what a token must have at least: it is all that a guesser lacks.
const shortestToken = 20

// tokensFromText lets an environment variable hold tokens: NAME:ROLE:TOKEN, with
// commas between them, where sha256:DIGEST may stand for TOKEN.
func tokensFromText(from, to reflect.Type, value any) (any, error) {
	text, isText := value.(string)
	if !isText || to != reflect.TypeFor[[]tokenConfig]() {
		return value, nil
	}
	var tokens []tokenConfig
	for entry := range strings.SplitSeq(text, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		parts := strings.SplitN(entry, ":", 3)
		if len(parts) != 3 {
			return nil, fmt.Errorf("a token in %s is not NAME:ROLE:TOKEN", envName("serve.tokens")) // without its text, which is secret
		}
		t := tokenConfig{Name: parts[0], Role: parts[1], Token: parts[2]}
		if digest, ok := strings.CutPrefix(parts[2], "sha256:"); ok {
			t.Token, t.SHA256 = "", digest
		}
		tokens = append(tokens, t)
	}
	return tokens, nil
}

// decodeHook is how texts become other settings.
var decodeHook = mapstructure.DecodeHookFuncType(tokensFromText)

// access reads who may sign in.
func (a *app) access() (web.Access, error) {
	c, access := a.config.Serve, web.Access{}
	for i, t := range c.Tokens {
		token, err := t.read()
		if err != nil {
			return access, usagef("orchestrator serve token makes one", "serve.tokens: number %d: %w", i+1, err)
		}
		access.Tokens = append(access.Tokens, token)
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" {
			return access, usagef("--public-url https://orchestrator.example", "%q is not the address of a server", c.PublicURL)
		}
		access.PublicURL = u
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return access, usagef("--tls-cert server.pem --tls-key server.key", "a certificate and its key go together")
	}
	access.TLS = c.TLSCert != ""
	for _, text := range words(c.TrustedProxies) {
		prefix, err := parsePrefix(text)
		if err != nil {
			return access, usagef("as 10.0.0.0/8", "serve.trusted_proxies: %w", err)
		}
		access.Proxies = append(access.Proxies, prefix)
	}
	if o := c.OIDC; o.Issuer != "" {
		access.OIDC = &web.OIDC{Name: o.Name, Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, Scopes: words(o.Scopes),
			GroupsClaim: o.GroupsClaim, Roles: map[web.Role][]string{web.View: words(o.View), web.Operate: words(o.Operate), web.Admin: words(o.Admin)}}
	}
	return access, nil
}

func (t tokenConfig) read() (web.Token, error) {
	role, err := web.ParseRole(t.Role)
	if err != nil {
		return web.Token{}, err
	}
	token := web.Token{Name: t.Name, Role: role}
	switch {
	case t.Name == "":
		return token, fmt.Errorf("it has no name")
	case (t.Token == "") == (t.SHA256 == ""):
		return token, fmt.Errorf("%s has to have either a token or a token_sha256", t.Name)
	case t.Token != "" && len(t.Token) < shortestToken:
		return token, fmt.Errorf("the token of %s is shorter than %d letters", t.Name, shortestToken)
	case t.Token != "":
		token.SHA256 = sha256.Sum256([]byte(t.Token))
		return token, nil
	}
	digest, err := hex.DecodeString(t.SHA256)
	if err != nil || len(digest) != sha256.Size {
		return token, fmt.Errorf("the token_sha256 of %s is not %d hexadecimal digits", t.Name, 2*sha256.Size)
	}
	copy(token.SHA256[:], digest)
	return token, nil
}

// words are what stands between commas or spaces.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// parsePrefix reads a network, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(text)
}

func newServeTokenCommand(a *app) *cobra.Command {
	var name, role string
	cmd := &cobra.Command{
		Use:   "token --name NAME --role ROLE",
		Short: "Make a token to sign in with",
		Long: `Prints a new random token, and the lines of the configuration file that let it in.
The file holds its digest alone, and the token is shown only now.` + "\n" + exitHelp,
		Example: "  orchestrator serve token --name alice --role operate",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if _, err := web.ParseRole(role); err != nil {
				return usagef("--role view, operate or admin", "%w", err)
			}
			if name == "" || strings.ContainsAny(name, ":,\n\"") {
				return usagef("--name alice", "%q is no name for a token", name)
			}
			token := "orc_" + rand.Text()
			sum := sha256.Sum256([]byte(token))
			t := tokenConfig{Name: name, Role: role, SHA256: hex.EncodeToString(sum[:])}
			if a.config.Output == "json" {
				return printJSON(a.out, map[string]string{"name": name, "role": role, "token": token, "token_sha256": t.SHA256})
			}
			_, err := fmt.Fprintf(a.out, "%s\n\nserve:\n  tokens:\n    - {name: \"%s\", role: %s, token_sha256: %s}\n", token, name, role, t.SHA256)
			return err
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "whose it is; the log and the pages show it")
	cmd.Flags().StringVar(&role, "role", "", "view, operate or admin")
	return cmd
}
