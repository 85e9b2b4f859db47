package artifacts

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
)

// fromS3 gives the client's errors the package's meaning.
func fromS3(err error) error {
	if err == nil {
		return nil
	}
	response := minio.ToErrorResponse(err)
	if class := classOf(response); class != nil {
		return describe(class, response)
	}
	// No answer came: the request failed on the way.
	var network net.Error
	var request *url.Error
	if errors.As(err, &request) {
		return classed(ErrUnavailable, plainCause(request))
	}
	if errors.As(err, &network) || response.Code == "" {
		return classed(ErrUnavailable, err)
	}
	return err
}

// describe keeps the server's words, except where the class says it all.
func describe(class error, response minio.ErrorResponse) error {
	if errors.Is(class, ErrNotFound) || errors.Is(class, ErrExists) {
		return class
	}
	return classed(class, response)
}

func classOf(response minio.ErrorResponse) error {
	switch response.Code {
	case minio.NoSuchKey:
		return ErrNotFound
	case minio.PreconditionFailed:
		return ErrExists
	case minio.NoSuchBucket:
		// Not ErrNotFound: with its bucket gone a store must not look empty.
		return ErrUnavailable
	case "ConditionalRequestConflict":
		return ErrUnavailable
	case "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "QuotaExceeded":
		return ErrNoSpace
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken",
		"InvalidToken", "InvalidTokenId", "RequestTimeTooSkewed", "AllAccessDisabled", "AccountProblem",
		"AuthorizationHeaderMalformed", "InvalidRegion", "IllegalLocationConstraintException": // the last three: of another region
		return ErrDenied
	}
	if strings.HasPrefix(response.Code, "XMinioInsufficient") {
		return ErrNoSpace
	}
	switch status := response.StatusCode; {
	case status == http.StatusNotFound:
		return ErrNotFound
	case status == http.StatusPreconditionFailed:
		return ErrExists
	case status == http.StatusForbidden, status == http.StatusUnauthorized:
		return ErrDenied
	case status == http.StatusInsufficientStorage:
		return ErrNoSpace
	case status == http.StatusTooManyRequests, status == http.StatusConflict, status >= 500:
		return ErrUnavailable
	}
	return nil
}

// plainCause drops the request's URL, which may be long and says nothing that
// the error does not say already.
func plainCause(err *url.Error) error {
	if strings.Contains(err.Err.Error(), "server gave HTTP response to HTTPS client") {
		return errors.New("the server speaks plain HTTP, TLS was asked for: write http:// before the endpoint")
	}
	var untrusted *tls.CertificateVerificationError
	if errors.As(err.Err, &untrusted) {
		return fmt.Errorf("%w; where the server has an authority of its own, s3.ca_cert names its PEM file", err.Err)
	}
	return err.Err
}
