package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Open opens the store with that address: "s3://bucket" or "s3://bucket/prefix"
// on the server that o names, with o's credentials; anything else is the path
// of a folder.
func Open(ctx context.Context, address string, o S3Options) (Store, error) {
	rest, isS3 := strings.CutPrefix(address, "s3://")
	switch {
	case address == "":
		return nil, &Error{Op: "open", Store: "the artifact store", Err: errors.New("no address is given: a folder or s3://bucket/prefix")}
	case isS3:
		o.Bucket, o.Prefix, _ = strings.Cut(rest, "/")
		return S3(ctx, o)
	case strings.Contains(address, "://"):
		kind, _, _ := strings.Cut(address, "://") // the rest might hold a password
		err := fmt.Errorf("%s:// is no kind of store: write a folder's path or s3://bucket/prefix", kind)
		return nil, &Error{Op: "open", Store: "the artifact store", Err: err}
	}
	return Dir(address)
}
