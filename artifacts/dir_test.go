package artifacts_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orchestrator/artifacts"
)

func openDir(t *testing.T, folder string) artifacts.Store {
	t.Helper()
	s, err := artifacts.Dir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const writtenSize = 1 << 20

// playWriter replaces and creates objects, each of one byte value, until it is
// killed.
func playWriter(folder string) {
	s, err := artifacts.Dir(folder)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for i := 0; ; i++ {
		data := bytes.Repeat([]byte{byte(i)}, writtenSize)
		err := s.Put(context.Background(), "put/object", bytes.NewReader(data), writtenSize)
		if err == nil {
			err = s.Create(context.Background(), fmt.Sprintf("create/%d/%d", os.Getpid(), i), bytes.NewReader(data), writtenSize)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// A writer is killed with kill -9 at many moments. What readers see is always
// whole, and the next to open the store clears up.
func TestKilledWriterLeavesWholeObjects(t *testing.T) {
	folder := t.TempDir()
	reader := openDir(t, folder)
	leftovers := 0
	for round := range 15 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+folder)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		prefix := fmt.Sprintf("create/%d/", cmd.Process.Pid)
		for deadline := time.Now().Add(20 * time.Second); countObjects(t, reader, prefix) <= round%3; {
			if time.Now().After(deadline) {
				t.Fatal("the writer does not write")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for info, err := range reader.List(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			checkWhole(t, reader, info)
			if strings.HasPrefix(info.Key, "create/") {
				if err := reader.Delete(t.Context(), info.Key); err != nil {
					t.Fatal(err)
				}
			}
		}
		leftovers += len(incoming(t, folder))
		openDir(t, folder)
		if left := incoming(t, folder); len(left) > 0 {
			t.Fatalf("what a killed writer left is still there: %q", left)
		}
	}
	if leftovers == 0 {
		t.Error("no writer was killed in the middle of a write: the test shows nothing")
	}
}

func countObjects(t *testing.T, s artifacts.Store, prefix string) (n int) {
	t.Helper()
	for _, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func checkWhole(t *testing.T, s artifacts.Store, info artifacts.Info) {
	t.Helper()
	r, _, err := s.Get(t.Context(), info.Key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != writtenSize || len(data) != writtenSize || bytes.Count(data, data[:1]) != writtenSize {
		t.Errorf("%s is not whole: %d bytes, listed as %d", info.Key, len(data), info.Size)
	}
}

func incoming(t *testing.T, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(folder, "~incoming"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// A second process opens the store while a write is under way: it must not take
// the living writer's file for a leftover.
func TestOpeningLeavesLivingWritersAlone(t *testing.T) {
	folder := t.TempDir()
	s := openDir(t, folder)
	r, w := io.Pipe()
	written := make(chan error)
	go func() { written <- s.Put(context.Background(), "slow/object", r, 6) }()
	if _, err := w.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	openDir(t, folder)
	if n := len(incoming(t, folder)); n != 1 {
		t.Errorf("%d files are being written, want 1", n)
	}
	if _, err := w.Write([]byte("def")); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if got := content(t, s, "slow/object"); got != "abcdef" {
		t.Errorf("the object is %q", got)
	}
}

func content(t *testing.T, s artifacts.Store, key string) string {
	t.Helper()
	r, _, err := s.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSymbolicLinksLeadNowhere(t *testing.T) {
	folder, outside := t.TempDir(), t.TempDir()
	s := openDir(t, folder)
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"file": secret, "folder": outside, "up": "../" + filepath.Base(outside)} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"file", "folder/secret", "up/secret"} {
		if _, _, err := s.Get(t.Context(), key); err == nil {
			t.Errorf("Get(%s) reads outside the folder", key)
		}
		if _, err := s.Stat(t.Context(), key); err == nil {
			t.Errorf("Stat(%s) looks outside the folder", key)
		}
	}
	for _, key := range []string{"folder/new", "up/new"} {
		if err := s.Put(t.Context(), key, strings.NewReader("x"), 1); err == nil {
			t.Errorf("Put(%s) writes outside the folder", key)
		}
	}
	if err := s.Put(t.Context(), "file", strings.NewReader("mine"), 4); err != nil {
		t.Errorf("replacing a link: %v", err)
	}
	if data, err := os.ReadFile(secret); err != nil || string(data) != "secret" {
		t.Errorf("the file outside is now %q, %v", data, err)
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside there are now %d files, %v", len(entries), err)
	}
	if n := countObjects(t, s, ""); n != 1 {
		t.Errorf("%d objects listed, want the replaced one alone", n)
	}
}

func TestForeignFilesAreNotListed(t *testing.T) {
	folder := t.TempDir()
	s := openDir(t, folder)
	for _, name := range []string{"has space", "tilde~", "ümlaut", "ok"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if n := countObjects(t, s, ""); n != 1 {
		t.Errorf("%d objects listed, want 1", n)
	}
}

func TestObjectBelowAnObject(t *testing.T) {
	s := openDir(t, t.TempDir())
	for _, key := range []string{"a", "b/c"} {
		if err := s.Put(t.Context(), key, strings.NewReader("x"), 1); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"a/below", "a/below/more", "b"} {
		for op, write := range map[string]func(context.Context, string, io.Reader, int64) error{"Put": s.Put, "Create": s.Create} {
			if err := write(t.Context(), key, strings.NewReader("x"), 1); err == nil || errors.Is(err, artifacts.ErrNotFound) {
				t.Errorf("%s(%s) = %v", op, key, err)
			}
		}
	}
}

const roomFor = 256 << 10

// A file system of 256 KiB fills up. Where the test may not mount one, a process
// whose files may not grow larger stands in for it.
func TestFullDisk(t *testing.T) {
	folder := t.TempDir()
	if err := syscall.Mount("none", folder, "tmpfs", 0, fmt.Sprint("size=", roomFor)); err != nil {
		t.Logf("cannot mount a small file system (%v): a limited process writes instead", err)
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), limitedEnv+"="+folder)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	t.Cleanup(func() {
		// The store's handle of the folder is closed by the garbage collector only.
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := openDir(t, folder)
	fillUp(t, s, folder)
	if err := s.Put(t.Context(), "fits-too", bytes.NewReader(make([]byte, 100_000)), 100_000); err != nil {
		t.Errorf("the failed write holds on to the space: %v", err)
	}
}

// limited is TestFullDisk in a process of its own.
func limited(folder string) error {
	limit := syscall.Rlimit{Cur: roomFor, Max: roomFor}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	s, err := artifacts.Dir(folder)
	if err != nil {
		return err
	}
	return fullDisk(context.Background(), s)
}

func fillUp(t *testing.T, s artifacts.Store, folder string) {
	t.Helper()
	if err := fullDisk(t.Context(), s); err != nil {
		t.Error(err)
	}
	if left := incoming(t, folder); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
}

// fullDisk writes what fits and what does not.
func fullDisk(ctx context.Context, s artifacts.Store) error {
	put := func(key string, size int) error {
		return s.Put(ctx, key, bytes.NewReader(make([]byte, size)), int64(size))
	}
	if err := put("fits", 100_000); err != nil {
		return err
	}
	err := put("too/large", 2*roomFor)
	if !errors.Is(err, artifacts.ErrNoSpace) {
		return fmt.Errorf("writing to a full disk = %w", err)
	}
	var hinted interface{ Hint() string }
	if !errors.As(err, &hinted) || hinted.Hint() == "" {
		return fmt.Errorf("it is not said what to do: %w", err)
	}
	if _, err := s.Stat(ctx, "too/large"); !errors.Is(err, artifacts.ErrNotFound) {
		return fmt.Errorf("the object that did not fit: %w", err)
	}
	return nil
}

func TestDirWhereNoneCanBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{file, filepath.Join(file, "below"), "/proc/nowhere"} {
		if _, err := artifacts.Dir(folder); err == nil || !strings.Contains(err.Error(), folder) {
			t.Errorf("Dir(%s) = %v", folder, err)
		}
	}
}

func TestVanishedFolderIsNoSuccess(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "store")
	s := openDir(t, folder)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a/b", strings.NewReader("x"), 1); !errors.Is(err, artifacts.ErrUnavailable) {
		t.Errorf("Put into a folder that is gone = %v", err)
	}
}
