package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-shellwords"
	"github.com/spf13/cobra"

	"orchestrator/scheduler/plan"
	"orchestrator/scheduler/queue/queuetest"
	"orchestrator/tools/testenv"
)

// The documentation is held to the program in three ways. Every `orchestrator`
// command in a block marked sh, of any page, is one that exists, with flags that
// exist. Every YAML block that is a whole sweep file is valid. And the pages that
// teach by doing (docs/tutorial.md, docs/howto) are carried out, from the first
// block to the last, in a folder of their own:
//
//	sh      is run by bash; the page fails where a command fails
//	yaml    whose first line is `# NAME.yaml` is written to that file
//	text    is what the commands before it print: each line of it has to appear, in
//	        that order, whatever the numbers, the spaces and the lines between
//	console is for the reader alone, as for what needs another machine

// block is a fenced block of a page.
type block struct {
	line       int
	kind, text string
}

func blocksOf(page string) []block {
	var all []block
	var in *block
	for i, line := range strings.Split(page, "\n") {
		switch kind, fence := strings.CutPrefix(line, "```"); {
		case fence && in == nil:
			in = &block{line: i + 2, kind: strings.TrimSpace(kind)}
		case fence:
			all = append(all, *in)
			in = nil
		case in != nil:
			in.text += line + "\n"
		}
	}
	return all
}

// docPages are all pages for users, by path below the repository.
func docPages(t *testing.T) map[string]string {
	t.Helper()
	root := testenv.Root(t)
	pages := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || slices.Contains([]string{"build", "bin", "node_modules", "testdata", "vendor"}, name)) {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		name, _ := filepath.Rel(root, path)
		pages[filepath.ToSlash(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// TestDocumentedCommandsExist: what the pages say to type is understood.
func TestDocumentedCommandsExist(t *testing.T) {
	n := 0
	for page, text := range docPages(t) {
		for _, b := range blocksOf(text) {
			if b.kind != "sh" && b.kind != "console" {
				continue
			}
			for _, line := range commandLines(b.text) {
				n++
				if err := understood(line); err != nil {
					t.Errorf("%s, in the block at line %d: %s\n\t%v", page, b.line, line, err)
				}
			}
		}
	}
	if n < 50 {
		t.Errorf("only %d commands were found: are the blocks still read?", n)
	}
}

// ours finds the commands of this program in a line: after the beginning, a pipe, a
// subshell, or settings of the environment.
var ours = regexp.MustCompile(`(?:^|[|(&;] *|[A-Z_]+=\S* )(?:bin/|\$ )?(orchestrator [^|)&;>]*)`)

func commandLines(text string) []string {
	var all []string
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", " ")) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		line, _, _ = strings.Cut(line, " # ")
		for _, m := range ours.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
			all = append(all, strings.TrimSpace(m[1]))
		}
	}
	return all
}

// understood parses a command line without running it.
func understood(line string) error {
	words, err := shellwords.Parse(line)
	if err != nil {
		return err
	}
	cmd, rest, err := newRoot(&app{}).Find(words[1:])
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if help, _ := cmd.Flags().GetBool("help"); help {
		return nil
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	return errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups(), ownWords(cmd))
}

// ownWords fails for a group of commands that is called without one of them.
func ownWords(cmd *cobra.Command) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return errors.New("no such command below " + cmd.CommandPath() + ": " + args[0])
	}
	return nil
}

// TestDocumentedSweepsAreValid: so are the sweep files.
func TestDocumentedSweepsAreValid(t *testing.T) {
	n := 0
	for page, text := range docPages(t) {
		for _, b := range blocksOf(text) {
			if b.kind != "yaml" || !regexp.MustCompile(`(?m)^dataset:`).MatchString(b.text) {
				continue
			}
			n++
			if _, err := plan.Parse(page, []byte(b.text)); err != nil {
				t.Errorf("%s, in the block at line %d: %v", page, b.line, err)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d sweep files were found: are the blocks still read?", n)
	}
}

// TestPagesThatTeach carries out the tutorial and the how-to pages.
func TestPagesThatTeach(t *testing.T) {
	testenv.Daily(t)
	t.Parallel()
	pages := docPages(t)
	n := 0
	for page, text := range pages {
		if page != "docs/tutorial.md" && !strings.HasPrefix(page, "docs/howto/") {
			continue
		}
		n++
		t.Run(strings.TrimSuffix(filepath.Base(page), ".md"), func(t *testing.T) {
			t.Parallel()
			carryOut(t, page, standIns(t, text))
		})
	}
	if n < 5 {
		t.Errorf("only %d pages that teach were found", n)
	}
}

// standIns puts servers of the test in the place of those that a page names.
func standIns(t *testing.T, text string) string {
	if !strings.Contains(text, "redis.example") {
		return text
	}
	redis, minio := queuetest.StartRedis(t), sharedMinIO(t)
	return strings.NewReplacer("redis.example:6379", redis.Options().Addr, "http://minio.example:9000", minio.Endpoint, "s3://orchestrator", "s3://"+bucketOf(t),
		"ORCHESTRATOR_S3_ACCESS_KEY=...", "ORCHESTRATOR_S3_ACCESS_KEY="+minio.AccessKey,
		"ORCHESTRATOR_S3_SECRET_KEY=...", "ORCHESTRATOR_S3_SECRET_KEY="+minio.SecretKey).Replace(text)
}

// mark is what the script prints before each block, to tell their outputs apart.
const mark = "=== block at line "

func carryOut(t *testing.T, page, text string) {
	w := newWorkspace(t)
	bin := t.TempDir()
	if err := os.Symlink(programPath(t), filepath.Join(bin, "orchestrator")); err != nil {
		t.Fatal(err)
	}
	blocks := blocksOf(text)
	var script strings.Builder
	// What a page starts in the background ends with it, in good order.
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n")
	for _, b := range blocks {
		switch name, _, _ := strings.Cut(strings.TrimPrefix(b.text, "# "), "\n"); {
		case b.kind == "sh":
			fmt.Fprintf(&script, "echo '%s%d'\n%s", mark, b.line, b.text)
		case b.kind == "yaml" && strings.HasSuffix(name, ".yaml") && !strings.Contains(name, " "):
			fmt.Fprintf(&script, "cat > %s <<'END OF FILE'\n%sEND OF FILE\n", name, b.text)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir, cmd.Env = w.dir, append(w.env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", page, err, out.String())
	}
	compareOutput(t, page, blocks, out.String())
}

// compareOutput holds what the page says that commands print to what they printed.
func compareOutput(t *testing.T, page string, blocks []block, out string) {
	t.Helper()
	printed := ""
	for _, b := range blocks {
		if b.kind == "sh" {
			_, after, _ := strings.Cut(out, fmt.Sprintf("%s%d\n", mark, b.line))
			printed, _, _ = strings.Cut(after, mark)
		}
		if b.kind != "text" || printed == "" {
			continue
		}
		left := blur(printed)
		for line := range strings.Lines(b.text) {
			want := strings.TrimSpace(blur(line))
			if want == "" || want == "..." {
				continue
			}
			at := strings.Index(left, want)
			if at < 0 {
				t.Errorf("%s, in the block at line %d: the commands before it do not print\n\t%s\nhere, but\n%s", page, b.line, line, printed)
				return
			}
			left = left[at+len(want):]
		}
	}
}

var (
	numbers = regexp.MustCompile(`[0-9a-f]*[0-9][0-9a-f]*(\.[0-9]+)?`)
	spaces  = regexp.MustCompile(`[ \t]+`)
)

// blur takes out what differs from run to run.
func blur(s string) string {
	return spaces.ReplaceAllString(numbers.ReplaceAllString(s, "0"), " ")
}

// TestDeployedSettingsExist: what is set in the environment of services, and what the
// pages say to set, is read by the program.
func TestDeployedSettingsExist(t *testing.T) {
	known := map[string]bool{}
	for _, s := range settings {
		known[envName(s.key)] = true
	}
	texts := docPages(t)
	root := testenv.Root(t)
	for _, pattern := range []string{"docker-compose.yml", "Dockerfile", "deploy/systemd/*", "deploy/kubernetes/*/*"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts[strings.TrimPrefix(file, root+"/")] = string(text)
		}
	}
	for page, text := range texts {
		for _, name := range regexp.MustCompile(`ORCHESTRATOR_[A-Z0-9_]+`).FindAllString(text, -1) {
			if !known[name] && !strings.HasPrefix(name, "ORCHESTRATOR_TEST_") {
				t.Errorf("%s: there is no setting %s", page, name)
			}
		}
	}
}
