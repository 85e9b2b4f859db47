package artifacts

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// idleTimeout is how long a connection may move no byte in either direction
	// while a request is under way, such as the server's sync of a large object.
	idleTimeout = 60 * time.Second
)

// newTransport makes HTTP connections that give up in bounded time: a store
// that hangs must end as ErrUnavailable, never as a hanging job.
func newTransport() *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &idleConn{c}, nil
		},
		MaxIdleConnsPerHost:   16,
		IdleConnTimeout:       idleTimeout / 2,
		TLSHandshakeTimeout:   2 * dialTimeout,
		ResponseHeaderTimeout: idleTimeout,
		DisableCompression:    true, // or sizes would be those before it
	}
}

// trust has connections trust the authorities of a PEM file instead of the
// system's.
func trust(t *http.Transport, file string) error {
	if file == "" {
		return nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate in PEM form: give the authority's certificate as a .pem file", file)
	}
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	return nil
}

// idleConn fails once nothing has moved for idleTimeout. A write also extends
// the deadline of the read that waits for the answer meanwhile.
type idleConn struct{ net.Conn }

func (c *idleConn) Read(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

func (c *idleConn) Write(p []byte) (int, error) {
	if err := c.SetDeadline(time.Now().Add(idleTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
