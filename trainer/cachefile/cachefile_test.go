package cachefile

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// dieEnv makes the test's process write half of the file that it names, and die.
const dieEnv = "CACHEFILE_TEST_DIE"

func TestMain(m *testing.M) {
	if path := os.Getenv(dieEnv); path != "" {
		_, _ = Open(context.Background(), path, "key", 6, func(_ context.Context, d *Draft) error {
			_, err := d.WriteAt([]byte("abc"), 0)
			return errors.Join(err, syscall.Kill(os.Getpid(), syscall.SIGKILL))
		})
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

func write(text string) func(context.Context, *Draft) error {
	return func(_ context.Context, d *Draft) error {
		_, err := d.WriteAt([]byte(text), 0)
		return err
	}
}

func never(context.Context, *Draft) error { return errors.New("it was written again") }

func wantContent(t *testing.T, f *File, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.Bytes()); got != want {
		t.Errorf("the content is %q, want %q", got, want)
	}
	for range 2 { // the second time does nothing
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFileIsWrittenOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "down", "file")
	f, err := Open(t.Context(), path, "key", 6, func(_ context.Context, d *Draft) error {
		if _, err := d.WriteAt([]byte("def"), 3); err != nil {
			return err
		}
		if _, err := d.WriteAt([]byte("abc"), 0); err != nil {
			return err
		}
		read := make([]byte, 4)
		if _, err := d.ReadAt(read, 1); err != nil || string(read) != "bcde" {
			t.Errorf("the draft holds %q, %v", read, err)
		}
		return nil
	})
	wantContent(t, f, err, "abcdef")
	f, err = Open(t.Context(), path, "key", 6, never)
	wantContent(t, f, err, "abcdef")
}

func TestFileOfAnotherKeyOrSizeIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, c := range []struct{ key, content string }{{"a", "one"}, {"b", "two"}, {"b", "four"}, {strings.Repeat("k", headSize-1), "five"}} {
		f, err := Open(t.Context(), path, c.key, int64(len(c.content)), write(c.content))
		wantContent(t, f, err, c.content)
	}
	if _, err := Open(t.Context(), path, strings.Repeat("k", headSize), 1, write("x")); err == nil {
		t.Error("a key that does not fit into the head is taken")
	}
}

func TestFailedWritingLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	broken := errors.New("broken")
	if _, err := Open(t.Context(), path, "key", 6, func(context.Context, *Draft) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "file.part")); len(left) != 0 {
		t.Errorf("%v is left behind", left)
	}
	f, err := Open(t.Context(), path, "key", 6, write("abcdef"))
	wantContent(t, f, err, "abcdef")
}

// A process that is killed while it writes neither leaves a file nor keeps the
// lock.
func TestKilledWriterLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), dieEnv+"="+path)
	if err := cmd.Run(); err == nil {
		t.Fatal("it lives")
	}
	if _, err := os.Stat(path + ".part"); err != nil {
		t.Fatalf("it died before it wrote: %v", err)
	}
	f, err := Open(t.Context(), path, "key", 6, write("abcdef"))
	wantContent(t, f, err, "abcdef")
}

func TestOneWritesAndTheOthersWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var writers atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			f, err := Open(t.Context(), path, "key", 6, func(ctx context.Context, d *Draft) error {
				writers.Add(1)
				return write("abcdef")(ctx, d)
			})
			wantContent(t, f, err, "abcdef")
		})
	}
	all.Wait()
	if n := writers.Load(); n != 1 {
		t.Errorf("%d wrote", n)
	}
}

// Who waits for another's writing can be stopped.
func TestWaitingIsCancelled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writing, release := make(chan struct{}), make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		f, err := Open(context.Background(), path, "key", 6, func(ctx context.Context, d *Draft) error {
			close(writing)
			<-release
			return write("abcdef")(ctx, d)
		})
		wantContent(t, f, err, "abcdef")
	})
	<-writing
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockPoll)
	defer cancel()
	if _, err := Open(ctx, path, "key", 6, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline", err)
	}
	close(release)
	writer.Wait()
}
