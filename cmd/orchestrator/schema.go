package main

import (
	"github.com/spf13/cobra"

	"orchestrator/docs"
)

func newSchemaCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of sweep files, for editors",
		Long: `Prints the JSON Schema (2020-12) of sweep files. An editor that has it completes
keys, explains them, and marks mistakes while the file is written; plan finds all
of them. With YAML Language Server, name the schema in the file's first line:

  # yaml-language-server: $schema=sweep.schema.json` + "\n" + exitHelp,
		Example: "  orchestrator schema > sweep.schema.json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.out.Write(docs.SweepSchema)
			return err
		},
	}
}
