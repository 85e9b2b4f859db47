package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// TestScripts runs testdata/script/*.txtar: the command line as users see it.
// Update the expected output with UPDATE_SCRIPTS=1. Scripts whose names begin
// with "cluster" are left to TestClusterScripts.
func TestScripts(t *testing.T) {
	testenv.Daily(t)
	runScripts(t, false, nil)
}

// TestClusterScripts is the same with Redis and MinIO in the environment.
func TestClusterScripts(t *testing.T) {
	testenv.Daily(t)
	redis := queuetest.StartRedis(t)
	minio := sharedMinIO(t)
	runScripts(t, true, []string{
		"REDIS=" + redis.Options().Addr,
		"MINIO=" + minio.Endpoint,
		"ORCHESTRATOR_S3_ACCESS_KEY=" + minio.AccessKey,
		"ORCHESTRATOR_S3_SECRET_KEY=" + minio.SecretKey,
	})
}

func runScripts(t *testing.T, cluster bool, env []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/script/*.txtar")
	files = slices.DeleteFunc(files, func(file string) bool { return strings.HasPrefix(filepath.Base(file), "cluster") != cluster })
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no scripts: %v", err)
	}
	lib := library(t)
	self := programPath(t)
	// The test binary under the program's name; TestMain makes it the program.
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, "orchestrator")); err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Files:         files,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv(asProgram, "1")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("XDG_CONFIG_HOME", e.WorkDir)
			e.Setenv("XDG_CACHE_HOME", filepath.Join(e.WorkDir, "cache"))
			e.Setenv("ORCHESTRATOR_ONNXRUNTIME_LIBRARY", lib)
			e.Vars = append(e.Vars, env...)
			return nil
		},
	})
}
