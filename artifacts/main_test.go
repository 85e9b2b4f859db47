package artifacts_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// The test binary plays a writer that is to be killed, or one that has little
// room, when one of these variables names a folder store.
const (
	writerEnv  = "ARTIFACTS_TEST_WRITER"
	limitedEnv = "ARTIFACTS_TEST_LIMITED"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(writerEnv); folder != "" {
		playWriter(folder)
		return
	}
	if folder := os.Getenv(limitedEnv); folder != "" {
		if err := limited(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}
