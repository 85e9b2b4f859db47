package browsertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// names are what Chromium is called on the PATH.
var names = []string{"chromium", "chromium-browser", "google-chrome"}

// Browser is a running Chromium.
type Browser struct {
	ctx context.Context
	// Shots is the folder that screenshots are written to.
	Shots string
	// axe is the source of axe-core.
	axe string
}

// Start starts a browser that ends with the test. root is the repository's folder:
// axe-core is taken from build/web, and screenshots go to build/screenshots.
func Start(t *testing.T, root string) *Browser {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join(root, "build", "web", "axe.min.js"))
	if err != nil {
		t.Fatalf("axe-core is missing: run `make web` (%v)", err)
	}
	shots := filepath.Join(root, "build", "screenshots")
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(find(t)), chromedp.NoSandbox, // in CI the tests run as root
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-dev-shm-usage", true),
		// What is not on this machine does not exist.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
	)
	ctx, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
		end()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return &Browser{ctx: ctx, Shots: shots, axe: string(axe)}
}

func find(t *testing.T) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("Chromium is missing: run `make test-tools`")
	return ""
}
