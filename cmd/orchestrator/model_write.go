package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"orchestrator/trainer/onnx"
)

// modelFile is where a command writes a network.
type modelFile struct {
	path  string
	force bool
}

func (m *modelFile) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&m.path, "file", "", "where to write the network")
	cmd.Flags().BoolVar(&m.force, "force", false, "replace a file that is there")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic(err) // the flag is above
	}
}

// write encodes a network and saves it.
func (m *modelFile) write(g *onnx.Graph) error {
	data, err := onnx.Encode(g)
	if err != nil {
		return fmt.Errorf("writing the network: %w", err)
	}
	return m.save(data)
}

// save writes an encoded network beside its destination and renames it, so that a
// full disk or a signal leaves nothing that looks like a model.
func (m *modelFile) save(data []byte) error {
	if _, err := os.Stat(m.path); !m.force && !errors.Is(err, fs.ErrNotExist) {
		return usagef("name another file, or add --force", "writing the network: %s is there already", m.path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(m.path), ".model-*")
	if err != nil {
		return fmt.Errorf("writing the network: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if _, err := tmp.Write(data); err != nil {
		return fmt.Errorf("writing the network: %w", err)
	}
	if err := tmp.Chmod(0o644); err != nil {
		return fmt.Errorf("writing the network: %w", err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("writing the network: %w", err)
	}
	return os.Rename(tmp.Name(), m.path)
}

// printWritten says what was written, as `model inspect` sums it up.
func (a *app) printWritten(path string, g *onnx.Graph) error {
	report, err := onnx.Inspect(g)
	if err != nil {
		return err
	}
	if a.config.Output == "json" {
		return printJSON(a.out, report)
	}
	_, err = fmt.Fprintf(a.out, "%s: input %s, output %s, %d layers, %d parameters\n",
		path, shapeText(g.Inputs[0].Shape), shapeText(g.Outputs[0].Shape), len(report.Layers), report.Parameters)
	return err
}
