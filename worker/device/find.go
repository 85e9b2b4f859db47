package device

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Found is what a machine has.
type Found struct {
	GPUs []GPU `json:"gpus"`
	// Notes are what a user should know of devices that are not among them.
	Notes []string `json:"notes,omitempty"`
	// Hidden says that CUDA_VISIBLE_DEVICES leaves some out.
	Hidden string `json:"hidden,omitempty"`
	// Looked says where GPUs were looked for, if there are none.
	Looked string `json:"looked,omitempty"`
}

// Find lists the CUDA devices that this process may see. A machine without any is no
// error; one whose nvidia-smi fails is a *SMIError.
func Find(ctx context.Context) (Found, error) { return find(ctx, "/") }

func find(ctx context.Context, root string) (Found, error) {
	found, err := askSMI(ctx)
	looked := "nvidia-smi lists none"
	if errors.Is(err, errNoSMI) {
		found, err = askProc(root), nil
		looked = errNoSMI.Error() + ", and /proc/driver/nvidia lists none"
	}
	if err != nil {
		return Found{}, err
	}
	if list, set := os.LookupEnv(visibleEnv); set {
		all := len(found.GPUs)
		found.GPUs = visible(found.GPUs, list)
		if hidden := all - len(found.GPUs); hidden > 0 {
			found.Hidden = fmt.Sprintf("%s=%s hides %d of %d CUDA devices", visibleEnv, list, hidden, all)
			looked = found.Hidden
		}
	}
	number(found.GPUs)
	if len(found.GPUs) == 0 {
		found.Looked = looked
	}
	return found, nil
}

// String lists the devices.
func (f Found) String() string {
	if len(f.GPUs) == 0 {
		return "no CUDA device (" + f.Looked + ")"
	}
	names := make([]string, len(f.GPUs))
	for i, g := range f.GPUs {
		names[i] = g.String()
	}
	return strings.Join(names, ", ")
}
