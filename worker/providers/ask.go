package providers

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// limit bounds a try. Providers that compile a graph for their device take minutes.
const limit = 5 * time.Minute

// outputDelay is how long output is waited for once a process has ended.
const outputDelay = 2 * time.Second

// Ask has a process try a provider. command starts one that ends up in Serve; env
// comes on top of its environment. Whatever becomes of the process is in the answer.
func Ask(ctx context.Context, command func(context.Context) *exec.Cmd, env []string, o Order) Answer {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	order, err := json.Marshal(o)
	if err != nil {
		return Answer{Device: o.Device, Error: err.Error()}
	}
	cmd := command(ctx)
	cmd.Env = append(cmd.Environ(), env...)
	var out, errOut bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(order, '\n')), &out, &errOut
	cmd.WaitDelay = outputDelay
	err = cmd.Run()
	if a, ok := read(out.Bytes()); ok {
		return a
	}
	a := Answer{Device: o.Device, Error: "the process that tried it " + ending(ctx, err)}
	if last := lastLines(errOut.String()); last != "" {
		a.Error += "; it said last: " + last
	}
	return a
}

// read finds the answer among what libraries write to the standard output.
func read(out []byte) (Answer, bool) {
	for line := range bytes.Lines(out) {
		var a Answer
		if json.Unmarshal(line, &a) == nil && a.Device != "" {
			return a, true
		}
	}
	return Answer{}, false
}

func ending(ctx context.Context, err error) string {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("did not answer within %v", limit)
	case ctx.Err() != nil:
		return "was interrupted"
	case err != nil:
		return "ended without an answer: " + err.Error()
	}
	return "ended without an answer"
}

// lastLines are the last few, as one.
func lastLines(text string) string {
	const most = 3
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-most):], " | ")
}
