// Command orchestrator fine-tunes pretrained image classifiers with
// cross-validated hyper-parameter sweeps: on one machine with `orchestrator
// run`, or on many with `submit` and `worker` over Redis and an object store.
package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
