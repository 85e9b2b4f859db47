package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newManCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages, one for each command",
		Long: `Writes manual pages of section 1 into a folder, which is made if it is not there.
Pages of an older version are replaced.` + "\n" + exitHelp,
		Example: "  orchestrator man /usr/local/share/man/man1\n  orchestrator man build/man && man build/man/orchestrator-run.1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true // with a date, no two builds would be the same
			header := &doc.GenManHeader{Section: "1", Source: "orchestrator " + version, Manual: "orchestrator"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("writing the manual pages: %w", err)
			}
			pages, err := filepath.Glob(filepath.Join(args[0], "orchestrator*.1"))
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(a.out, "%s: %d manual pages\n", args[0], len(pages))
			return err
		},
	}
}
