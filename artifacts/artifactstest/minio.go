package artifactstest

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orchestrator/artifacts"
)

// MinIO is a running server with an empty data folder of its own.
type MinIO struct {
	server
	CACert string // PEM file of the authority that signed its certificate, if it has one
}

// MinIOOptions change how a MinIO server runs.
type MinIOOptions struct {
	TLS    bool   // with a certificate for 127.0.0.1 of an authority of its own
	Domain string // whose subdomains are buckets
	Region string
}

// StartMinIO runs a MinIO server on a free loopback port until the test ends.
// The binary is $MINIO_BIN or minio on the PATH; where there is none the test
// is skipped, or fails if CI is set.
func StartMinIO(t testing.TB) *MinIO {
	t.Helper()
	return StartMinIOWith(t, MinIOOptions{})
}

// StartMinIOWith is StartMinIO with options.
func StartMinIOWith(t testing.TB, o MinIOOptions) *MinIO {
	t.Helper()
	binary := findBinary(t, "minio", "MINIO_BIN")
	m, scheme, certificates := &MinIO{}, "http", t.TempDir()
	if o.TLS {
		scheme = "https"
		m.CACert = writeCertificates(t, certificates)
		// Only the test's client has to trust; that the server is up is all that counts here.
		m.client = &http.Client{Timeout: time.Second, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}}
	}
	m.ready = func(s *server) *http.Request {
		r, _ := http.NewRequest(http.MethodGet, s.Endpoint+"/minio/health/ready", nil)
		return r
	}
	// It is ready before it has read its users, and then turns everybody but root away
	// as if it were out of order.
	m.stranger = func(s *server) *http.Request {
		r, _ := http.NewRequest(http.MethodGet, s.Endpoint+"/", nil)
		now := time.Now().UTC()
		r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=nobody/"+now.Format("20060102")+
			"/"+cmp.Or(o.Region, "us-east-1")+"/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="+strings.Repeat("0", 64))
		return r
	}
	m.command = func(address string) *exec.Cmd {
		cmd := exec.Command(binary, "server", "--quiet", "--certs-dir", certificates, "--address", address, "--console-address", "127.0.0.1:0", m.Folder)
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+m.AccessKey, "MINIO_ROOT_PASSWORD="+m.SecretKey,
			"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "MINIO_DOMAIN="+o.Domain, "MINIO_SITE_REGION="+o.Region)
		return cmd
	}
	m.run(t, scheme)
	return m
}

// Options are what opens a bucket on the server.
func (m *MinIO) Options(bucket string) artifacts.S3Options {
	o := m.server.Options(bucket)
	o.CACert = m.CACert
	return o
}

// writeCertificates makes an authority and a server's certificate, where MinIO looks
// for it, and returns the authority's PEM file.
func writeCertificates(t testing.TB, folder string) string {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of this test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signer, key := newKey(t), newKey(t)
	write := func(name, kind string, der []byte, err error) string {
		path := filepath.Join(folder, name)
		if err == nil {
			err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), signer)
	write("public.crt", "CERTIFICATE", der, err)
	der, err = x509.MarshalPKCS8PrivateKey(key)
	write("private.key", "PRIVATE KEY", der, err)
	der, err = x509.CreateCertificate(rand.Reader, authority, authority, signer.Public(), signer)
	return write("authority.pem", "CERTIFICATE", der, err)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
