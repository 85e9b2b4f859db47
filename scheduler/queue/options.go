package queue

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
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
	ServerName string // in the certificates of all servers; empty: the host that is dialled

	// SentinelMaster is the name under which the sentinels at SentinelAddrs
	// know the master; Addr is then ignored. Username and Password are the
	// master's, the following two the sentinels'.
	SentinelMaster   string
	SentinelAddrs    []string
	SentinelUsername string
	SentinelPassword string

	// ClusterAddrs are some nodes of a Redis Cluster, which tell of the others;
	// Addr and DB are then ignored.
	ClusterAddrs []string
}

// String names the server without secrets, as ParseURL reads it: for messages.
func (o Options) String() string {
	scheme := "redis"
	if o.TLS {
		scheme = "rediss"
	}
	switch {
	case len(o.ClusterAddrs) > 0:
		return scheme + clusterScheme + "://" + strings.Join(o.ClusterAddrs, ",")
	case o.SentinelMaster != "":
		return fmt.Sprintf("%s%s://%s/%s/%d", scheme, sentinelScheme, strings.Join(o.SentinelAddrs, ","), o.SentinelMaster, o.DB)
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
	switch {
	case len(o.ClusterAddrs) > 0:
		u.Addrs = o.ClusterAddrs
		return redis.NewClusterClient(u.Cluster()), nil
	case o.SentinelMaster != "":
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
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, inputError{fmt.Sprintf("read the certificate authorities for Redis: %v", err), "give the path of the authority's certificate, a .pem file"}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, inputError{fmt.Sprintf("%s holds no certificate in PEM form", o.CACert), "give the authority's certificate as a .pem file"}
		}
	}
	if o.ClientCert != "" || o.ClientKey != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			return nil, inputError{fmt.Sprintf("read the client certificate for Redis: %v", err), "give the paths of a certificate and of the key that goes with it, both in PEM form"}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
