package worker

import "syscall"

// childAttributes put a child into a process group of its own and have the
// kernel kill it when the daemon dies, even if it is too busy to notice the end
// of its standard input.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
