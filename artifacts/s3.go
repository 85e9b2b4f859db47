package artifacts

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// S3Options says where a bucket is and who asks.
type S3Options struct {
	// Endpoint is the server: "host:port", or a URL whose scheme then decides
	// about Secure. Empty means Amazon's.
	Endpoint string
	Bucket   string
	// Prefix is put before every key, with a slash between; it may be empty.
	Prefix string
	// AccessKey, SecretKey and SessionToken identify the user. With an empty
	// AccessKey they are looked for, and renewed, as credentials.go says.
	AccessKey    string
	SecretKey    string
	SessionToken string
	Region       string // us-east-1 where it is empty, which MinIO does not mind
	Secure       bool   // TLS
	CACert       string // PEM file of the authorities to trust; empty: the system's
	Addressing   Addressing
	// MaxPut is the size of the largest object that is written by one request;
	// 0: 5 GiB, which is what Amazon allows. A larger one is uploaded in parts.
	MaxPut int64
	// Transport replaces the HTTP transport.
	Transport http.RoundTripper
}

// Addressing is how requests name the bucket.
type Addressing int

// The ways to address a bucket.
const (
	AddressAuto    Addressing = iota // by host for Amazon's endpoints, else by path
	AddressByPath                    // host/bucket
	AddressVirtual                   // bucket.host
)

// S3 opens a store in a bucket of MinIO, Amazon S3 or another server that
// honours If-None-Match: * on a put; Check tells whether one does. The bucket
// is made if it is missing and the credentials allow it. A server that cannot
// be reached fails every call within some seconds (ErrUnavailable).
//
// An object is one put request where that is possible, as more servers honour the
// condition of a single put than that of the end of a multipart upload, which is
// how objects of more than MaxPut bytes are written.
func S3(ctx context.Context, o S3Options) (Store, error) {
	o, err := o.normalised()
	if err != nil {
		return nil, &Error{Op: "open", Store: "s3", Err: err}
	}
	s := &s3Store{bucket: o.Bucket, prefix: o.Prefix, maxPut: o.MaxPut}
	s.name = "s3 " + scheme(o.Secure) + "://" + o.Endpoint + "/" + o.Bucket
	if o.Prefix != "" {
		s.name += "/" + o.Prefix
	}
	if s.core, err = o.connect(); err != nil {
		return nil, fail(ctx, "open", "", s, err)
	}
	if err := s.ensureBucket(ctx, o.Region); err != nil {
		return nil, fail(ctx, "open", "", s, err)
	}
	return s, nil
}

func scheme(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

func (o S3Options) normalised() (S3Options, error) {
	if o.Endpoint == "" {
		o.Endpoint, o.Secure = "s3.amazonaws.com", true
	}
	if strings.Contains(o.Endpoint, "://") {
		u, err := url.Parse(o.Endpoint)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return o, errors.New("the endpoint must be host:port or http(s)://host:port")
		}
		if u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return o, errors.New("the endpoint must hold a host and a port, nothing else (no user, no path)")
		}
		o.Endpoint, o.Secure = u.Host, u.Scheme == "https"
	}
	o.Prefix = strings.Trim(o.Prefix, "/")
	if o.Bucket == "" {
		return o, errors.New("no bucket is named")
	}
	if err := s3utils.CheckValidBucketNameStrict(o.Bucket); err != nil {
		return o, fmt.Errorf("bucket %.64q: %w", o.Bucket, err)
	}
	if o.Prefix != "" {
		if err := checkKey(o.Prefix); err != nil {
			return o, fmt.Errorf("the prefix: %w", err)
		}
	}
	o.Region, o.MaxPut = cmp.Or(o.Region, "us-east-1"), cmp.Or(o.MaxPut, maxPut)
	return o, nil
}

func (o S3Options) connect() (minio.Core, error) {
	transport := o.Transport
	if transport == nil {
		own := newTransport()
		if err := trust(own, o.CACert); err != nil {
			return minio.Core{}, err
		}
		transport = own
	}
	lookup := map[Addressing]minio.BucketLookupType{
		AddressAuto: minio.BucketLookupAuto, AddressByPath: minio.BucketLookupPath, AddressVirtual: minio.BucketLookupDNS,
	}
	client, err := minio.New(o.Endpoint, &minio.Options{
		Creds: o.credentials(), Secure: o.Secure, Region: o.Region, BucketLookup: lookup[o.Addressing],
		Transport: transport, MaxRetries: 4,
	})
	if err != nil {
		return minio.Core{}, err
	}
	return minio.Core{Client: client}, nil
}

type s3Store struct {
	core   minio.Core
	bucket string
	prefix string
	name   string
	maxPut int64
}

func (s *s3Store) String() string { return s.name }

// ensureBucket lists one key, as a listing is answered with a reason when it is
// refused, which the cheaper HEAD is not.
func (s *s3Store) ensureBucket(ctx context.Context, region string) error {
	var err error
	for o := range s.core.ListObjectsIter(ctx, s.bucket, minio.ListObjectsOptions{Prefix: s.full(""), MaxKeys: 1}) {
		err = o.Err
		break
	}
	if err == nil {
		err = ctx.Err()
	}
	if minio.ToErrorResponse(err).Code != minio.NoSuchBucket {
		return fromS3(err)
	}
	err = s.core.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: region})
	switch minio.ToErrorResponse(err).Code {
	case minio.BucketAlreadyOwnedByYou, minio.BucketAlreadyExists:
		return nil // somebody was faster
	}
	if err := fromS3(err); err != nil {
		return fmt.Errorf("make the bucket: %w", err)
	}
	return nil
}

func (s *s3Store) full(key string) string {
	if s.prefix == "" {
		return key
	}
	return s.prefix + "/" + key
}

func (s *s3Store) Get(ctx context.Context, key string) (io.ReadCloser, Info, error) {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return nil, Info{}, fail(ctx, "read", key, s, err)
	}
	body, info, _, err := s.core.GetObject(ctx, s.bucket, s.full(key), minio.GetObjectOptions{})
	if err != nil {
		return nil, Info{}, fail(ctx, "read", key, s, fromS3(err))
	}
	return &s3Reader{ctx: ctx, s: s, key: key, body: body},
		Info{Key: key, Size: info.Size, Modified: info.LastModified}, nil
}

func (s *s3Store) Stat(ctx context.Context, key string) (Info, error) {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return Info{}, fail(ctx, "describe", key, s, err)
	}
	info, err := s.core.StatObject(ctx, s.bucket, s.full(key), minio.StatObjectOptions{})
	if err != nil {
		return Info{}, fail(ctx, "describe", key, s, fromS3(err))
	}
	return Info{Key: key, Size: info.Size, Modified: info.LastModified}, nil
}

func (s *s3Store) Put(ctx context.Context, key string, r io.Reader, size int64) error {
	return fail(ctx, "write", key, s, s.write(ctx, key, r, size, minio.PutObjectOptions{}))
}

// writerHeader marks who created an object. A create whose answer was lost is
// repeated and then refused; the mark tells that it is our own object that is
// in the way.
const writerHeader = "Orchestrator-Writer"

func (s *s3Store) Create(ctx context.Context, key string, r io.Reader, size int64) error {
	mark := rand.Text()
	opts := minio.PutObjectOptions{UserMetadata: map[string]string{writerHeader: mark}}
	opts.SetMatchETagExcept("*")
	err := s.write(ctx, key, r, size, opts)
	// A server that refuses an object may cut the connection off before it has read it.
	cutOff := errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if errors.Is(err, ErrExists) || cutOff {
		switch there, ours := s.created(ctx, key, mark); {
		case ours:
			err = nil
		case there:
			err = ErrExists
		}
	}
	return fail(ctx, "create", key, s, err)
}

// created reports whether the object is there, and whether the write with that mark made
// it.
func (s *s3Store) created(ctx context.Context, key, mark string) (there, ours bool) {
	info, err := s.core.StatObject(ctx, s.bucket, s.full(key), minio.StatObjectOptions{})
	return err == nil, err == nil && info.UserMetadata[writerHeader] == mark
}

func (s *s3Store) write(ctx context.Context, key string, r io.Reader, size int64, opts minio.PutObjectOptions) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return err
	}
	src := newExactReader(ctx, r, size)
	if size == 0 { // the client does not read a body of no bytes
		if err := src.atEnd(); !errors.Is(err, io.EOF) {
			return err
		}
	}
	opts.ContentType = "application/octet-stream"
	if size > s.maxPut {
		err := s.writeInParts(ctx, key, src, size, opts)
		if broken := src.close(); broken != nil {
			return broken
		}
		return fromS3(err)
	}
	opts.DisableMultipart = true
	_, err := s.core.Client.PutObject(ctx, s.bucket, s.full(key), rewindable(src, r), size, opts)
	if broken := src.close(); broken != nil {
		return broken
	}
	return fromS3(err)
}

// rewindable lets the client repeat the request if r can be read again.
func rewindable(src *exactReader, r io.Reader) io.Reader {
	seeker, ok := r.(io.Seeker)
	if !ok {
		return src
	}
	start, err := seeker.Seek(0, io.SeekCurrent)
	if err != nil { // a pipe, say
		return src
	}
	return &rewinder{exactReader: src, seeker: seeker, start: start}
}

func (s *s3Store) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := firstError(ctx.Err(), checkPrefix(prefix)); err != nil {
			yield(Info{}, fail(ctx, "list", prefix, s, err))
			return
		}
		opts := minio.ListObjectsOptions{Prefix: s.full(prefix), Recursive: true}
		for o := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
			if o.Err != nil {
				yield(Info{}, fail(ctx, "list", prefix, s, fromS3(o.Err)))
				return
			}
			key := strings.TrimPrefix(o.Key, s.full(""))
			if checkKey(key) != nil {
				continue // not one of ours, such as a browser's "folder/"
			}
			if !yield(Info{Key: key, Size: o.Size, Modified: o.LastModified}, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Info{}, fail(ctx, "list", prefix, s, err))
		}
	}
}

func (s *s3Store) Delete(ctx context.Context, key string) error {
	if err := firstError(ctx.Err(), checkKey(key)); err != nil {
		return fail(ctx, "delete", key, s, err)
	}
	err := fromS3(s.core.RemoveObject(ctx, s.bucket, s.full(key), minio.RemoveObjectOptions{}))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return fail(ctx, "delete", key, s, err)
}

// s3Reader gives the errors of a broken download their meaning.
type s3Reader struct {
	ctx  context.Context
	s    *s3Store
	key  string
	body io.ReadCloser
}

func (r *s3Reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fail(r.ctx, "read", r.key, r.s, classed(ErrUnavailable, err))
	}
	return n, err
}

func (r *s3Reader) Close() error { return r.body.Close() }
