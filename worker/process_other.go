//go:build !linux

package worker

import "syscall"

// childAttributes put a child into a process group of its own. When the daemon
// dies it notices the end of its standard input.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
