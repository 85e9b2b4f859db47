package artifacts_test

import (
	"testing"

	"orchestrator/artifacts"
	"orchestrator/artifacts/artifactstest"
	"orchestrator/tools/testenv"
)

func TestMemConforms(t *testing.T) {
	s := artifacts.Mem()
	artifactstest.Exercise(t, func(*testing.T) artifacts.Store { return s })
}

func TestDirConforms(t *testing.T) {
	folder := t.TempDir()
	artifactstest.Exercise(t, func(t *testing.T) artifacts.Store {
		s, err := artifacts.Dir(folder)
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestS3Conforms(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	server := artifactstest.StartMinIO(t)
	t.Run("bucket", func(t *testing.T) {
		artifactstest.Exercise(t, func(t *testing.T) artifacts.Store { return server.Store(t, "plain", "") })
	})
	t.Run("prefix", func(t *testing.T) {
		outside := server.Store(t, "shared", "")
		artifactstest.Exercise(t, func(t *testing.T) artifacts.Store { return server.Store(t, "shared", "some/team") })
		for info := range outside.List(t.Context(), "") {
			if len(info.Key) < 10 || info.Key[:10] != "some/team/" {
				t.Errorf("%s is outside the prefix", info.Key)
			}
		}
	})
	t.Run("large objects in parts", func(t *testing.T) {
		exerciseParts(t, server.Options("parts"), server.Open)
	})
}

// A server that shares no code with the one above.
func TestS3ConformsElsewhere(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	server := artifactstest.StartVersity(t)
	t.Run("prefix", func(t *testing.T) {
		artifactstest.Exercise(t, func(t *testing.T) artifacts.Store { return server.Store(t, "plain", "some/team") })
	})
	t.Run("large objects in parts", func(t *testing.T) {
		exerciseParts(t, server.Options("parts"), server.Open)
	})
}

// exerciseParts checks the promises on objects that are larger than one request may be.
func exerciseParts(t *testing.T, o artifacts.S3Options, open func(testing.TB, artifacts.S3Options) artifacts.Store) {
	o.MaxPut = 5 << 20 // the least that servers accept of a part but the last
	artifactstest.ExerciseLarge(t, 12<<20, func(t *testing.T) artifacts.Store { return open(t, o) })
}
