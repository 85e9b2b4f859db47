package artifacts_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The test binary plays a writer that is to be killed when this variable names
// a folder store.
const writerEnv = "ARTIFACTS_TEST_WRITER"

func TestMain(m *testing.M) {
	if folder := os.Getenv(writerEnv); folder != "" {
		playWriter(folder)
		return
	}
	goleak.VerifyTestMain(m)
}
