package queue

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Options say where Redis is and how to log in. The zero value is a Redis
// without password at localhost:6379.
type Options struct {
	Addr     string // host:port
	Username string // of Redis' access control list; empty: the default user
	Password string
	DB       int

	TLS        bool
	CACert     string // file with the authorities to trust; empty: the system's
	ClientCert string // file with the client's certificate, for mutual TLS
	ClientKey  string // file with its key
	ServerName string // in the server's certificate; empty: the host of Addr

	// SentinelMaster is the name under which the sentinels at SentinelAddrs
	// know the master; Addr is then ignored. Username and Password are the
	// master's, the following two the sentinels'.
	SentinelMaster   string
	SentinelAddrs    []string
	SentinelUsername string
	SentinelPassword string
}

// ParseURL reads redis://user:password@host:port/db and its TLS form rediss://.
func ParseURL(s string) (Options, error) {
	u, err := url.Parse(s)
	if err != nil {
		// The error of net/url quotes the address, which may hold a password.
		return Options{}, inputError{"the address of Redis is not a valid URL", "write it as redis://user:password@host:port/db"}
	}
	if u.Scheme != "redis" && u.Scheme != "rediss" {
		return Options{}, inputError{fmt.Sprintf("the address of Redis begins with %q", u.Scheme+"://"), "write redis:// or rediss:// (TLS)"}
	}
	o := Options{Addr: u.Host, TLS: u.Scheme == "rediss", Username: u.User.Username()}
	o.Password, _ = u.User.Password()
	if u.Port() == "" {
		o.Addr = net.JoinHostPort(u.Hostname(), "6379")
	}
	if db := strings.Trim(u.Path, "/"); db != "" {
		if o.DB, err = strconv.Atoi(db); err != nil || o.DB < 0 {
			return Options{}, inputError{fmt.Sprintf("%q in the address of Redis is no database", db), "databases are numbered: redis://host:6379/0"}
		}
	}
	return o, nil
}

// String names the server without secrets: for messages.
func (o Options) String() string {
	scheme := "redis"
	if o.TLS {
		scheme = "rediss"
	}
	if o.SentinelMaster != "" {
		return fmt.Sprintf("%s master %s of sentinels %s", scheme, o.SentinelMaster, strings.Join(o.SentinelAddrs, ", "))
	}
	return fmt.Sprintf("%s://%s/%d", scheme, o.addr(), o.DB)
}

func (o Options) addr() string {
	switch {
	case o.Addr == "":
		return "localhost:6379"
	case !strings.Contains(o.Addr, ":"):
		return o.Addr + ":6379"
	}
	return o.Addr
}

// The waits of one command. Retries inside go-redis cover a short hiccup; an
// outage is the caller's to sit out.
const (
	dialTimeout  = 3 * time.Second
	replyTimeout = 10 * time.Second
)

// client makes a connection pool; it connects with the first command.
func (o Options) client() (redis.UniversalClient, error) {
	tlsConfig, err := o.tlsConfig()
	if err != nil {
		return nil, err
	}
	u := &redis.UniversalOptions{
		Addrs:    []string{o.addr()},
		Username: o.Username, Password: o.Password, DB: o.DB,
		DialTimeout: dialTimeout, ReadTimeout: replyTimeout, WriteTimeout: replyTimeout,
		ContextTimeoutEnabled: true,
		TLSConfig:             tlsConfig,
		// A hosted service's notices, which a plain Redis answers with an error.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		DisableIdentity:          true,
	}
	if o.SentinelMaster != "" {
		u.Addrs, u.MasterName = o.SentinelAddrs, o.SentinelMaster
		u.SentinelUsername, u.SentinelPassword = o.SentinelUsername, o.SentinelPassword
		return redis.NewFailoverClient(u.Failover()), nil
	}
	return redis.NewClient(u.Simple()), nil
}

func (o Options) tlsConfig() (*tls.Config, error) {
	if !o.TLS {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if c.ServerName == "" && o.SentinelMaster == "" {
		c.ServerName, _, _ = net.SplitHostPort(o.addr())
	}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authorities for Redis: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, inputError{fmt.Sprintf("%s holds no certificate in PEM form", o.CACert), "give the authority's certificate as a .pem file"}
		}
	}
	if o.ClientCert != "" || o.ClientKey != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("read the client certificate for Redis: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
