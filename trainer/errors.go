package trainer

import (
	"errors"
	"fmt"
)

// ErrInterrupted is returned by Run after it was asked to stop and has written a
// checkpoint. Running the job again continues there.
var ErrInterrupted = errors.New("the job was interrupted; its checkpoint is written")

// DivergedError says that training left the finite numbers. Trying again would
// end the same way: it is permanent.
type DivergedError struct {
	Epoch int     // from 1
	Step  int     // from 1; 0: in the evaluation after the epoch
	Loss  float64 // NaN or infinite
	Rate  float64 // the learning rate of that step
	// Gradients: it is not the loss that is not finite, but its gradients.
	Gradients bool
	// Float16: the job computes in that, beyond whose range numbers are soon.
	Float16 bool
}

// Error names the epoch and the step.
func (e *DivergedError) Error() string {
	if e.Step == 0 {
		return fmt.Sprintf("training diverged: the test loss after epoch %d is %v", e.Epoch, e.Loss)
	}
	if e.Gradients {
		return fmt.Sprintf("training diverged: the gradients of epoch %d, step %d are not finite, though their loss scale is 1", e.Epoch, e.Step)
	}
	return fmt.Sprintf("training diverged: the loss of epoch %d, step %d is %v", e.Epoch, e.Step, e.Loss)
}

// Hint says what usually helps.
func (e *DivergedError) Hint() string {
	hint := fmt.Sprintf("lower training.learning_rate (it was %g here), or let it rise slowly with lr_policy.warm_up; check preprocessing.mean and scale", e.Rate)
	if e.Float16 {
		hint += "; or set training.precision to tf32, whose numbers are as large as those of float32: float16 ends at 65504"
	}
	return hint
}

// Permanent tells that another attempt would fail in the same way.
func (e *DivergedError) Permanent() bool { return true }

// JobError says that a Job cannot be run as it is.
type JobError struct{ Reason string }

// Error is the reason.
func (e *JobError) Error() string { return "the job is not valid: " + e.Reason }

// Permanent tells that another attempt would fail in the same way.
func (e *JobError) Permanent() bool { return true }

// ExitCode is that of bad input.
func (e *JobError) ExitCode() int { return 2 }

// CompileError says that the network cannot be trained or evaluated. The cause
// inside may carry a hint.
type CompileError struct {
	What string // the graph that could not be made
	Err  error
}

// Error names the graph and the cause.
func (e *CompileError) Error() string { return fmt.Sprintf("compile the %s graph: %v", e.What, e.Err) }

// Unwrap is the cause.
func (e *CompileError) Unwrap() error { return e.Err }

// Permanent tells that another attempt would fail in the same way.
func (e *CompileError) Permanent() bool { return true }

func badJob(format string, args ...any) error {
	return &JobError{Reason: fmt.Sprintf(format, args...)}
}
