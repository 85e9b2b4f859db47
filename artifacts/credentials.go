package artifacts

import (
	"errors"
	"net/url"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

const (
	// rereadAfter is how long the keys of a credentials file are believed: somebody
	// may renew temporary ones there.
	rereadAfter = time.Minute
	// renewAgain is the pause after credentials could not be renewed.
	renewAgain = 5 * time.Second
)

// credentials are the keys that the options hold, else the first that are found:
//
//  1. AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
//  2. MINIO_ROOT_USER and MINIO_ROOT_PASSWORD, or their older names,
//  3. ~/.aws/credentials, or the file that AWS_SHARED_CREDENTIALS_FILE names, which is
//     read again each minute,
//  4. the service that AWS_CONTAINER_CREDENTIALS_*, or AWS_WEB_IDENTITY_TOKEN_FILE with
//     AWS_ROLE_ARN, point at; with Amazon's endpoints also the role of the machine.
//     They are renewed before they expire.
//
// Where there are none, requests are anonymous.
func (o S3Options) credentials() *credentials.Credentials {
	if o.AccessKey != "" {
		return credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken)
	}
	chain := []credentials.Provider{&credentials.EnvAWS{}, &credentials.EnvMinio{}, &credentialsFile{}}
	// Asking for a machine's role takes seconds where nobody answers.
	if credentialsService() || s3utils.IsAmazonEndpoint(url.URL{Host: o.Endpoint}) {
		chain = append(chain, &credentials.IAM{Region: o.Region})
	}
	return credentials.New(&foundCredentials{chain: &credentials.Chain{Providers: chain}})
}

func credentialsService() bool {
	for _, name := range []string{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// foundCredentials are the first that a chain finds. Where they cannot be renewed for
// a while the old ones serve as long as they are valid; after that requests fail as
// they do while the store is away, and are not made by nobody.
type foundCredentials struct {
	chain *credentials.Chain
	last  credentials.Value
	again time.Time // when to try once more what failed; zero: it did not
}

// Retrieve implements credentials.Provider.
func (f *foundCredentials) Retrieve() (credentials.Value, error) {
	return f.RetrieveWithCredContext(nil)
}

// RetrieveWithCredContext implements credentials.Provider.
func (f *foundCredentials) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	v, err := f.chain.RetrieveWithCredContext(c)
	f.again = time.Time{}
	if err == nil && v.AccessKeyID != "" {
		f.last = v
		return v, nil
	}
	if f.last.AccessKeyID == "" { // there never were any
		return v, err
	}
	f.again = time.Now().Add(renewAgain)
	if f.valid() {
		return f.last, nil
	}
	return credentials.Value{}, errors.New("the temporary credentials have expired and could not be renewed")
}

// IsExpired implements credentials.Provider.
func (f *foundCredentials) IsExpired() bool {
	if !f.again.IsZero() {
		return time.Now().After(f.again) || !f.valid()
	}
	return f.chain.IsExpired()
}

func (f *foundCredentials) valid() bool {
	return f.last.Expiration.IsZero() || time.Now().Before(f.last.Expiration)
}

// credentialsFile reads Amazon's credentials file again and again.
type credentialsFile struct {
	credentials.FileAWSCredentials
	read time.Time
}

// RetrieveWithCredContext implements credentials.Provider.
func (f *credentialsFile) RetrieveWithCredContext(c *credentials.CredContext) (credentials.Value, error) {
	f.read = time.Now()
	return f.FileAWSCredentials.RetrieveWithCredContext(c)
}

// IsExpired tells whether it is time to read the file again.
func (f *credentialsFile) IsExpired() bool {
	return f.FileAWSCredentials.IsExpired() || time.Since(f.read) > rereadAfter
}
