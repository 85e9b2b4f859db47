package artifacts_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
)

func TestS3OverTLS(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIOWith(t, artifactstest.MinIOOptions{TLS: true})
	s := server.Open(t, server.Options("bucket"))
	if err := artifacts.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if !strings.HasPrefix(s.String(), "s3 https://") {
		t.Errorf("it is called %s", s)
	}
	noCertificate := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noCertificate, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{"": "s3.ca_cert", noCertificate: "no certificate", "/not/there.pem": "/not/there.pem"} {
		o := server.Options("bucket")
		o.CACert = file
		began := time.Now()
		_, err := artifacts.S3(t.Context(), o)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("with the authorities of %q: %v", file, err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	}
}

// A bucket is a subdomain of the server's; a test has no name server, so its client
// dials the server whatever the name.
func TestS3VirtualHostStyle(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIOWith(t, artifactstest.MinIOOptions{Domain: "s3.test"})
	at, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at.Host)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	o := server.Options("bucket")
	o.Endpoint, o.Addressing = "http://s3.test:"+at.Port(), artifacts.AddressVirtual
	o.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		hosts[r.URL.Hostname()] = true
		return transport.RoundTrip(r)
	})
	s := server.Open(t, o)
	if err := artifacts.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if !hosts["bucket.s3.test"] || hosts["s3.test"] && len(hosts) > 2 {
		t.Errorf("the requests went to %v", hosts)
	}
	// What was written is the same bucket by its path.
	if err := s.Put(t.Context(), "some/key", strings.NewReader("x"), 1); err != nil {
		t.Fatal(err)
	}
	if got := content(t, server.Store(t, "bucket", ""), "some/key"); got != "x" {
		t.Errorf("by its path the object is %q", got)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestS3Region(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIOWith(t, artifactstest.MinIOOptions{Region: "eu-central-1"})
	o := server.Options("bucket")
	o.Region = "eu-central-1"
	if err := artifacts.Check(t.Context(), server.Open(t, o)); err != nil {
		t.Error(err)
	}
	o.Region = "us-west-2"
	_, err := artifacts.S3(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "eu-central-1") {
		t.Errorf("a wrong region: %v", err)
	}
	wantAdvice(t, err)
}

// assumeRole gets temporary credentials from the server.
func assumeRole(t *testing.T, server *artifactstest.MinIO) credentials.Value {
	t.Helper()
	sts, err := credentials.NewSTSAssumeRole(server.Endpoint, credentials.STSAssumeRoleOptions{AccessKey: server.AccessKey, SecretKey: server.SecretKey})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for { // the server is ready for objects before it is for this
		v, err := sts.GetWithContext(&credentials.CredContext{Client: client})
		if err == nil && v.SessionToken != "" {
			return v
		}
		if err == nil || !strings.Contains(err.Error(), "not initialized") {
			t.Fatalf("the credentials are not temporary: %v", err)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal(err)
		}
	}
}

func TestS3TemporaryCredentials(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	v := assumeRole(t, server)
	o := server.Options("bucket")
	o.AccessKey, o.SecretKey, o.SessionToken = v.AccessKeyID, v.SecretAccessKey, v.SessionToken
	if err := artifacts.Check(t.Context(), server.Open(t, o)); err != nil {
		t.Error(err)
	}
	for name, token := range map[string]string{"none": "", "another": v.SessionToken + "x"} {
		o.SessionToken = token
		_, err := artifacts.S3(t.Context(), o)
		if !errors.Is(err, artifacts.ErrDenied) {
			t.Errorf("with %s session token: %v", name, err)
			continue
		}
		wantNoSecret(t, err, v.SecretAccessKey, v.SessionToken)
		wantAdvice(t, err)
	}
}

func wantNoSecret(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), s) {
			t.Errorf("%q holds a secret", err)
		}
	}
}

// isolate keeps the credentials of whoever runs the test out of it.
func isolate(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "MINIO_ROOT_USER",
		"MINIO_ROOT_PASSWORD", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(folder, "credentials"))
	return folder
}

func TestS3CredentialsFromTheEnvironment(t *testing.T) {
	server := artifactstest.StartMinIO(t)
	o := server.Options("bucket")
	o.AccessKey, o.SecretKey = "", ""
	v := assumeRole(t, server)
	for name, set := range map[string]func(folder string){
		"variables": func(string) {
			t.Setenv("AWS_ACCESS_KEY_ID", v.AccessKeyID)
			t.Setenv("AWS_SECRET_ACCESS_KEY", v.SecretAccessKey)
			t.Setenv("AWS_SESSION_TOKEN", v.SessionToken)
		},
		"file": func(folder string) {
			text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\naws_session_token = %s\n", v.AccessKeyID, v.SecretAccessKey, v.SessionToken)
			if err := os.WriteFile(filepath.Join(folder, "credentials"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		set(isolate(t))
		s, err := artifacts.S3(t.Context(), o)
		if err == nil {
			err = artifacts.Check(t.Context(), s)
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	isolate(t)
	if _, err := artifacts.S3(t.Context(), o); !errors.Is(err, artifacts.ErrDenied) {
		t.Errorf("without any credentials: %v", err)
	}
}

// A service hands out credentials that are about to expire: they are renewed, and
// where that fails the old ones serve as long as they are valid.
func TestS3CredentialsAreRenewed(t *testing.T) {
	isolate(t)
	server := artifactstest.StartMinIO(t)
	var asked, down atomic.Int32
	var lifetime atomic.Int64
	lifetime.Store(int64(time.Hour))
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if down.Load() > 0 {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		v := assumeRole(t, server)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"AccessKeyId": v.AccessKeyID, "SecretAccessKey": v.SecretAccessKey, "Token": v.SessionToken,
			"Expiration": time.Now().Add(time.Duration(lifetime.Load())).UTC().Format(time.RFC3339Nano),
		})
	}))
	t.Cleanup(service.Close)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", service.URL)
	o := server.Options("bucket")
	o.AccessKey, o.SecretKey = "", ""

	lifetime.Store(-int64(time.Second)) // each is used up at once
	s := server.Open(t, o)
	before := asked.Load()
	lifetime.Store(int64(time.Hour))
	if err := artifacts.Check(t.Context(), s); err != nil {
		t.Error(err)
	}
	if asked.Load() != before+1 {
		t.Errorf("the service was asked %d times, and then %d more", before, asked.Load()-before)
	}

	lifetime.Store(-int64(time.Second))
	s = server.Open(t, o)
	down.Store(1)
	err := artifacts.Check(t.Context(), s)
	if !errors.Is(err, artifacts.ErrUnavailable) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("after credentials could not be renewed: %v", err)
	}
	wantAdvice(t, err)
}
