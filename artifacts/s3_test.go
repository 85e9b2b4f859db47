package artifacts_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
)

func TestS3RefusesWrongCredentials(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	for name, change := range map[string]func(*artifacts.S3Options){
		"unknown user":   func(o *artifacts.S3Options) { o.AccessKey = "nobody-we-know" },
		"wrong password": func(o *artifacts.S3Options) { o.SecretKey = "a-wrong-secret-key" },
	} {
		t.Run(name, func(t *testing.T) {
			o := server.Options("bucket")
			change(&o)
			began := time.Now()
			_, err := artifacts.S3(t.Context(), o)
			if !errors.Is(err, artifacts.ErrDenied) {
				t.Fatalf("opened with wrong credentials: %v", err)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v to be refused", took)
			}
			wantAdvice(t, err)
			for _, secret := range []string{o.SecretKey, server.SecretKey} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q holds a secret", err)
				}
			}
		})
	}
}

func wantAdvice(t *testing.T, err error) {
	t.Helper()
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() == "" {
		t.Errorf("%v says nothing of what to do", err)
	}
}

func TestS3ThatCannotBeReached(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	began := time.Now()
	_, err = artifacts.S3(t.Context(), artifacts.S3Options{Endpoint: "http://" + address, Bucket: "bucket", AccessKey: "key", SecretKey: "secret-secret"})
	if !errors.Is(err, artifacts.ErrUnavailable) || !strings.Contains(err.Error(), address) {
		t.Errorf("opened where nobody listens: %v", err)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v to notice", took)
	}
	wantAdvice(t, err)
}

func TestS3Outage(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	s := server.Store(t, "bucket", "")
	server.Stop()
	var group sync.WaitGroup // each takes its time to give up
	for op, try := range map[string]func(ctx context.Context, key string) error{
		"Get":    func(ctx context.Context, key string) error { _, _, err := s.Get(ctx, key); return err },
		"Stat":   func(ctx context.Context, key string) error { _, err := s.Stat(ctx, key); return err },
		"Put":    func(ctx context.Context, key string) error { return s.Put(ctx, key, strings.NewReader("x"), 1) },
		"Create": func(ctx context.Context, key string) error { return s.Create(ctx, key, strings.NewReader("x"), 1) },
		"Delete": s.Delete,
		"List": func(ctx context.Context, key string) error {
			for _, err := range s.List(ctx, key) {
				return err
			}
			return nil
		},
	} {
		group.Go(func() {
			if err := try(t.Context(), "some/key"); !errors.Is(err, artifacts.ErrUnavailable) {
				t.Errorf("%s during an outage = %v", op, err)
			}
		})
	}
	group.Wait()
}

func TestS3BucketThatVanishedIsNotEmpty(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	s := server.Store(t, "bucket", "")
	removeBucket(t, server, "bucket")
	if _, err := s.Stat(t.Context(), "some/key"); err == nil {
		t.Error("Stat without a bucket succeeds")
	}
	if _, _, err := s.Get(t.Context(), "some/key"); !errors.Is(err, artifacts.ErrUnavailable) || errors.Is(err, artifacts.ErrNotFound) {
		t.Errorf("Get without a bucket = %v", err)
	}
}

func TestS3Options(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]artifacts.S3Options{
		"no bucket":        {Endpoint: "http://127.0.0.1:1"},
		"another scheme":   {Endpoint: "ftp://127.0.0.1:1", Bucket: "bucket"},
		"user in endpoint": {Endpoint: "http://user:hidden@127.0.0.1:1", Bucket: "bucket"},
		"path in endpoint": {Endpoint: "http://127.0.0.1:1/path", Bucket: "bucket"},
		"bad prefix":       {Endpoint: "http://127.0.0.1:1", Bucket: "bucket", Prefix: "a/../b"},
		"bad bucket":       {Endpoint: "http://127.0.0.1:1", Bucket: "No Bucket!"},
	} {
		_, err := artifacts.S3(t.Context(), o)
		if err == nil || errors.Is(err, artifacts.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %q holds a secret", name, err)
		}
	}
}

func TestS3SpeaksPlainHTTPOnly(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	o := artifacts.S3Options{Endpoint: strings.Replace(plain.URL, "http:", "https:", 1), Bucket: "bucket", AccessKey: "key", SecretKey: "secret-secret"}
	if _, err := artifacts.S3(t.Context(), o); err == nil || !strings.Contains(err.Error(), "http://") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
}

// lossy loses the answer to the first put of an object: the server has done it,
// the client does not know.
type lossy struct {
	http.RoundTripper
	lost atomic.Int32
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err == nil && r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" && l.lost.CompareAndSwap(0, 1) {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return nil, errors.New("the connection broke")
	}
	return res, err
}

func TestS3CreateWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	transport := &lossy{RoundTripper: base}
	o := server.Options("bucket")
	o.Transport = transport
	s, err := artifacts.S3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "some/key", strings.NewReader("mine"), 4); err != nil {
		t.Errorf("the repeated Create takes its own object for another's: %v", err)
	}
	if transport.lost.Load() == 0 {
		t.Fatal("no answer was lost: the test shows nothing")
	}
	if err := s.Create(t.Context(), "some/key", strings.NewReader("other"), 5); !errors.Is(err, artifacts.ErrExists) {
		t.Errorf("another Create = %v", err)
	}
	if got := content(t, s, "some/key"); got != "mine" {
		t.Errorf("the object is %q", got)
	}
}

// careless drops the condition from conditional puts, as servers do that do not
// know them.
type careless struct{ http.RoundTripper }

func (c careless) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("If-None-Match") == "" {
		return c.RoundTripper.RoundTrip(r)
	}
	// The condition is signed, so a put without it takes the place of this one.
	r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{"Etag": {`"x"`}}, Request: r}, nil
}

func TestCheckFindsServersWithoutConditionalPuts(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	o := server.Options("bucket")
	o.Transport = careless{base}
	s, err := artifacts.S3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := artifacts.Check(t.Context(), s); err == nil || !strings.Contains(err.Error(), "If-None-Match") {
		t.Errorf("Check = %v", err)
	}
}

func TestS3StoresFullStatesItself(t *testing.T) {
	t.Parallel()
	full := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method != http.MethodPut {
			_, _ = io.WriteString(w, `<ListBucketResult></ListBucketResult>`)
			return
		}
		w.WriteHeader(http.StatusInsufficientStorage)
		_, _ = io.WriteString(w, `<Error><Code>XMinioStorageFull</Code><Message>Storage backend has reached its minimum free drive threshold.</Message></Error>`)
	}))
	defer full.Close()
	s, err := artifacts.S3(t.Context(), artifacts.S3Options{Endpoint: full.URL, Bucket: "bucket", AccessKey: "key", SecretKey: "secret-secret"})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Put(t.Context(), "some/key", strings.NewReader("x"), 1)
	if !errors.Is(err, artifacts.ErrNoSpace) {
		t.Errorf("Put into a full store = %v", err)
	}
	wantAdvice(t, err)
}

func TestS3DownloadThatBreaksOff(t *testing.T) {
	t.Parallel()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("list-type") {
			_, _ = io.WriteString(w, `<ListBucketResult></ListBucketResult>`)
			return
		}
		w.Header().Set("Content-Length", "1000")
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		_, _ = w.Write(bytes.Repeat([]byte("x"), 500))
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer broken.Close()
	s, err := artifacts.S3(t.Context(), artifacts.S3Options{Endpoint: broken.URL, Bucket: "bucket", AccessKey: "key", SecretKey: "secret-secret"})
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "some/key")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, artifacts.ErrUnavailable) {
		t.Errorf("reading what breaks off = %v", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	o := server.Options("")
	for address, want := range map[string]string{
		"s3://bucket":           "s3 " + server.Endpoint + "/bucket",
		"s3://bucket/":          "s3 " + server.Endpoint + "/bucket",
		"s3://bucket/some/team": "s3 " + server.Endpoint + "/bucket/some/team",
	} {
		s, err := artifacts.Open(t.Context(), address, o)
		if err != nil || s.String() != want {
			t.Errorf("Open(%s) = %v, %v", address, s, err)
		}
	}
	folder := t.TempDir()
	if s, err := artifacts.Open(t.Context(), folder, o); err != nil || s.String() != "folder "+folder {
		t.Errorf("Open(%s) = %v, %v", folder, s, err)
	}
	for _, address := range []string{"", "s3://", "ftp://user:hidden@host/x"} {
		if _, err := artifacts.Open(t.Context(), address, o); err == nil || strings.Contains(err.Error(), "hidden") {
			t.Errorf("Open(%q) = %v", address, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := artifacts.Open(ctx, "s3://bucket", o); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with a cancelled context = %v", err)
	}
}

func removeBucket(t *testing.T, server *artifactstest.MinIO, bucket string) {
	t.Helper()
	client, err := minio.New(strings.TrimPrefix(server.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""), Transport: &http.Transport{DisableKeepAlives: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.RemoveBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
}

// cutting cuts the connection off in every conditional put while it is on.
type cutting struct {
	http.RoundTripper
	on atomic.Bool
}

func (c *cutting) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.on.Load() && r.Method == http.MethodPut && r.Header.Get("If-None-Match") != "" {
		return nil, &net.OpError{Op: "write", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return c.RoundTripper.RoundTrip(r)
}

// TestS3CreateThatIsCutOff: a server that has the object may cut the connection off
// instead of reading a large one and refusing it.
func TestS3CreateThatIsCutOff(t *testing.T) {
	t.Parallel()
	base := &http.Transport{}
	t.Cleanup(base.CloseIdleConnections)
	transport := &cutting{RoundTripper: base}
	o := artifactstest.StartMinIO(t).Options("bucket")
	o.Transport = transport
	s, err := artifacts.S3(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(t.Context(), "there", strings.NewReader("one"), 3); err != nil {
		t.Fatal(err)
	}
	transport.on.Store(true)
	if err := s.Create(t.Context(), "there", strings.NewReader("two"), 3); !errors.Is(err, artifacts.ErrExists) {
		t.Errorf("Create of what is there = %v", err)
	}
	if err := s.Create(t.Context(), "absent", strings.NewReader("two"), 3); !errors.Is(err, artifacts.ErrUnavailable) {
		t.Errorf("Create of what is not there = %v", err)
	}
}
