package artifacts

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// maxPut is what Amazon takes in one request.
	maxPut = 5 << 30
	// partSize is that of all parts but the last, unless there would be too many: a
	// part is held in memory, so that the client can send it again.
	partSize = 64 << 20
	maxParts = 10_000
	// abortLimit bounds how long the parts of an upload that failed are taken back.
	abortLimit = 30 * time.Second
)

// writeInParts writes an object that is too large for one request. The condition of
// a create counts at the end, when the parts become the object. An upload that is
// killed leaves parts that no listing shows; MinIO removes them after a day, Amazon
// where a lifecycle rule says so (AbortIncompleteMultipartUpload).
func (s *s3Store) writeInParts(ctx context.Context, key string, src io.Reader, size int64, opts minio.PutObjectOptions) error {
	start := minio.PutObjectOptions{ContentType: opts.ContentType, UserMetadata: opts.UserMetadata}
	id, err := s.core.NewMultipartUpload(ctx, s.bucket, s.full(key), start)
	if err != nil {
		return err
	}
	parts, err := s.uploadParts(ctx, key, id, src, size)
	if err == nil {
		opts.UserMetadata = nil // was given at the start
		_, err = s.core.CompleteMultipartUpload(ctx, s.bucket, s.full(key), id, parts, opts)
	}
	if err != nil {
		abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
		defer cancel()
		_ = s.core.AbortMultipartUpload(abort, s.bucket, s.full(key), id) // the server ends it some day
	}
	return err
}

func (s *s3Store) uploadParts(ctx context.Context, key, id string, src io.Reader, size int64) ([]minio.CompletePart, error) {
	each := min(max(partSize, (size+maxParts-1)/maxParts), s.maxPut)
	buffer := make([]byte, each)
	var parts []minio.CompletePart
	for at := int64(0); at < size; at += each {
		part := buffer[:min(each, size-at)]
		if _, err := io.ReadFull(src, part); err != nil {
			return nil, err
		}
		n := len(parts) + 1
		done, err := s.core.PutObjectPart(ctx, s.bucket, s.full(key), id, n, bytes.NewReader(part), int64(len(part)), minio.PutObjectPartOptions{})
		if err != nil {
			return nil, err
		}
		parts = append(parts, minio.CompletePart{PartNumber: n, ETag: done.ETag})
	}
	return parts, nil
}
