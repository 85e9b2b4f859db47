package builtin

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"orchestrator/trainer/onnx"
)

// networks are the builders by name.
var networks = map[string]func(n *network, outputs int){
	"caffenet":     caffeNet,
	"minicaffenet": miniCaffeNet,
	"smallnet":     smallNet,
	"tinynet":      tinyNet,
}

// Names lists the networks, sorted.
func Names() []string { return slices.Sorted(maps.Keys(networks)) }

// Model writes the network of that name with the given number of outputs. All
// weights follow from the seed.
func Model(name string, outputs int, seed int64) (*onnx.Graph, error) {
	build, ok := networks[name]
	if !ok {
		return nil, &unknownError{name}
	}
	if outputs < 1 {
		return nil, fmt.Errorf("builtin network %q: it cannot have %d outputs", name, outputs)
	}
	n := &network{g: &onnx.Graph{Name: name, Metadata: map[string]string{}}, seed: seed}
	build(n, outputs)
	if err := onnx.Check(n.g); err != nil {
		return nil, fmt.Errorf("builtin network %q: %w", name, err)
	}
	return n.g, nil
}

// unknownError says that there is no network of that name.
type unknownError struct{ name string }

func (e *unknownError) Error() string { return fmt.Sprintf("there is no builtin network %q", e.name) }

// Hint lists the names.
func (e *unknownError) Hint() string { return "the networks are " + strings.Join(Names(), ", ") }

// ExitCode marks wrong input.
func (e *unknownError) ExitCode() int { return 2 }
