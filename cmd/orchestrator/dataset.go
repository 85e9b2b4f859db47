package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"orchestrator/trainer/dataset"
)

func newDatasetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "Inspect, pack and generate data sets",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDatasetInspectCommand(a), newDatasetPackCommand(a), newDatasetExampleCommand(a))
	return cmd
}

func addScanFlags(cmd *cobra.Command, o *dataset.Options) {
	cmd.Flags().StringVar(&o.Root, "root", "", "folder that a list's file names are relative to")
	cmd.Flags().StringVar(&o.Folds, "folds", "", "folder of explicit folds, whose lists give the labels where there are no class folders")
	cmd.Flags().IntVar(&o.ClassLevel, "class-level", 0, "which folders are the classes: 1 those in PATH, 2 those in these; 0: found out")
	cmd.Flags().StringSliceVar(&o.Include, "include", nil, "only files that match these globs")
	cmd.Flags().StringSliceVar(&o.Exclude, "exclude", nil, "no files that match these globs")
	cmd.Flags().StringVar(&o.OnBad, "on-bad", "error", "what an unreadable picture does: error, or skip")
}

func newDatasetInspectCommand(a *app) *cobra.Command {
	var o dataset.Options
	cmd := &cobra.Command{
		Use:   "inspect PATH",
		Short: "Say which pictures would be used, which are left out, and why",
		Long: `Reads a folder of class folders or a list of files and labels exactly as a sweep
would, decodes every picture, and reports. Nothing is written.` + "\n" + exitHelp,
		Example: "  orchestrator dataset inspect data/hymenoptera --exclude '*.gif'\n  orchestrator dataset inspect labels.csv --root pictures --output json",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path = args[0]
			index, err := dataset.Scan(cmd.Context(), o)
			if err != nil {
				return a.printBad(err, o.Path)
			}
			if a.config.Output == "json" {
				return printJSON(a.out, summarizeIndex(index))
			}
			return printIndex(a.out, summarizeIndex(index))
		},
	}
	addScanFlags(cmd, &o)
	return cmd
}

// printBad lists all pictures that cannot be read, where that is the error, and
// returns the error.
func (a *app) printBad(err error, path string) error {
	var e *dataset.Error
	if !errors.As(err, &e) || len(e.Bad) == 0 {
		return err
	}
	if a.config.Output == "json" {
		return errors.Join(err, printJSON(a.out, map[string]any{"path": path, "unreadable": e.Bad}))
	}
	fmt.Fprintf(a.out, "%s: pictures that cannot be read: %d\n", path, len(e.Bad))
	for _, b := range e.Bad {
		fmt.Fprintf(a.out, "  %s: %s\n", b.File, b.Reason)
	}
	return err
}

// indexSummary is what `dataset inspect` prints.
type indexSummary struct {
	Path       string            `json:"path"`
	Pictures   int               `json:"pictures"`
	Bytes      int64             `json:"bytes"`
	Classes    []classSummary    `json:"classes"`
	Formats    map[string]int    `json:"formats"`
	Duplicates int               `json:"duplicates"`
	Notes      []string          `json:"notes,omitempty"`
	LeftOut    []dataset.LeftOut `json:"left_out"`
}

type classSummary struct {
	Class    string `json:"class"`
	Pictures int    `json:"pictures"`
}

func summarizeIndex(ix *dataset.Index) indexSummary {
	s := indexSummary{Path: ix.Root, Pictures: len(ix.Samples), Formats: map[string]int{}, Notes: ix.Notes, LeftOut: ix.LeftOut, Duplicates: ix.Duplicates()}
	counts := make([]int, len(ix.Classes))
	for _, p := range ix.Samples {
		counts[p.Label]++
		s.Formats[p.Format]++
		s.Bytes += p.Size
	}
	for i, c := range ix.Classes {
		s.Classes = append(s.Classes, classSummary{c, counts[i]})
	}
	if s.LeftOut == nil {
		s.LeftOut = []dataset.LeftOut{}
	}
	return s
}

func printIndex(w io.Writer, s indexSummary) error {
	fmt.Fprintf(w, "%s: %d pictures, %d classes, %.1f MB\n", s.Path, s.Pictures, len(s.Classes), float64(s.Bytes)/1e6)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, c := range s.Classes {
		fmt.Fprintf(t, "  %s\t%d\t%.1f %%\n", c.Class, c.Pictures, 100*float64(c.Pictures)/float64(s.Pictures))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	formats := make([]string, 0, len(s.Formats))
	for f := range s.Formats {
		formats = append(formats, f)
	}
	sort.Strings(formats)
	for _, f := range formats {
		fmt.Fprintf(w, "  %d %s\n", s.Formats[f], f)
	}
	printNotes(w, "", s.Notes)
	if len(s.LeftOut) > 0 {
		fmt.Fprintf(w, "Left out: %d\n", len(s.LeftOut))
	}
	for _, l := range s.LeftOut {
		fmt.Fprintf(w, "  %s: %s\n", l.File, l.Reason)
	}
	return nil
}

func newDatasetPackCommand(a *app) *cobra.Command {
	var o dataset.Options
	var file string
	cmd := &cobra.Command{
		Use:   "pack PATH",
		Short: "Write the data set as the one content-addressed file that workers fetch",
		Long: `Writes the pack: a plain tar with index.json and the pictures as they are. Its
SHA-256 is the data set's digest. submit does this by itself.` + "\n" + exitHelp,
		Example: "  orchestrator dataset pack data/hymenoptera --file hymenoptera.tar",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path = args[0]
			index, err := dataset.Scan(cmd.Context(), o)
			if err != nil {
				return err
			}
			digest, size, err := packTo(cmd, index, file)
			if err != nil {
				return err
			}
			if a.config.Output == "json" {
				return printJSON(a.out, map[string]any{"file": file, "digest": digest, "size": size, "pictures": len(index.Samples)})
			}
			fmt.Fprintf(a.out, "%s: %d pictures, %d bytes, sha256 %s\n", file, len(index.Samples), size, digest)
			return nil
		},
	}
	addScanFlags(cmd, &o)
	cmd.Flags().StringVar(&file, "file", "dataset.tar", "where to write the pack")
	return cmd
}

// packTo writes beside the destination and renames, so that a full disk or a
// signal leaves nothing that looks like a pack.
func packTo(cmd *cobra.Command, index *dataset.Index, file string) (digest string, size int64, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(file), ".pack-*")
	if err != nil {
		return "", 0, fmt.Errorf("writing the pack: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if digest, size, err = dataset.WritePack(cmd.Context(), index, tmp); err != nil {
		return "", 0, err
	}
	if err := tmp.Close(); err != nil {
		return "", 0, fmt.Errorf("writing the pack: %w", err)
	}
	return digest, size, os.Rename(tmp.Name(), file)
}

func newDatasetExampleCommand(a *app) *cobra.Command {
	var pictures, size int
	var seed int64
	cmd := &cobra.Command{
		Use:   "example FOLDER",
		Short: "Draw a small data set with a visual cue that a network can learn",
		Long: `Draws labelled pictures into class folders: the class is in the pattern, not in the
colour, the brightness or the place. The same seed draws the same pictures.
A folder that already holds them is left alone.` + "\n" + exitHelp,
		Example: "  orchestrator dataset example example-data",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := dataset.Example(args[0], pictures, size, seed); err != nil {
				return err
			}
			fmt.Fprintf(a.out, "%s: %d pictures of %d×%d pixels\n", args[0], pictures, size, size)
			return nil
		},
	}
	cmd.Flags().IntVar(&pictures, "pictures", 480, "how many")
	cmd.Flags().IntVar(&size, "size", 40, "height and width in pixels")
	cmd.Flags().Int64Var(&seed, "seed", 1, "which pictures")
	return cmd
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
