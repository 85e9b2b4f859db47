package queuetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Authority is a certificate authority of a test, with a certificate for servers on
// loopback and one for clients: paths of PEM files.
type Authority struct {
	CACert                string
	ServerCert, ServerKey string
	ClientCert, ClientKey string
}

// NewAuthority makes one.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	a := &Authority{path("ca.pem"), path("server.pem"), path("server.key"), path("client.pem"), path("client.key")}
	ca := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	key := issue(t, ca, ca, nil, a.CACert, path("ca.key"))
	issue(t, &x509.Certificate{
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		// Nodes of a cluster, replicas and sentinels are each other's clients.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, ca, key, a.ServerCert, a.ServerKey)
	issue(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, key, a.ClientCert, a.ClientKey)
	return a
}

// issue writes a certificate and its key. A nil signer signs itself.
func issue(t testing.TB, c, parent *x509.Certificate, signer *ecdsa.PrivateKey, certFile, keyFile string) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if signer == nil {
		signer = key
	}
	c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c.Subject = pkix.Name{CommonName: filepath.Base(certFile)}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return key
}

// StartTLS starts a redis-server that speaks TLS alone; mutual has it ask clients
// for their certificate.
func StartTLS(t testing.TB, a *Authority, mutual bool, args ...string) *Redis {
	t.Helper()
	return startServer(t, &Redis{tls: a, args: func(r *Redis) []string {
		clients := "no"
		if mutual {
			clients = "yes"
		}
		tls := []string{"--port", "0", "--tls-port", strconv.Itoa(r.port), "--tls-cert-file", a.ServerCert, "--tls-key-file", a.ServerKey,
			"--tls-ca-cert-file", a.CACert, "--tls-auth-clients", clients}
		return append(append(tls, r.common()...), args...)
	}})
}
