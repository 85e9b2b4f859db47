// Package worker runs jobs. It has two halves that meet in a pipe.
//
// The Daemon owns the slots of a machine. Its Do runs one attempt at a job: it
// starts a trainer process of its own for it, reads what that says, stops it
// when asked, and records the end. RunJob is that trainer process: it fetches
// the job's inputs, trains, keeps checkpoints, and reports its result.
//
// # An attempt
//
//	    Do(job)
//	       │
//	       ▼         outcome, failure or cancel mark in the store
//	   ┌───────┐  ───────────────────────────────────────────────► Completed,
//	   │settled│                                                   Failed, Canceled
//	   └───┬───┘
//	       ▼         draining
//	   ┌───────┐  ───────────────────────────────────────────────► Interrupted
//	   │waiting│  for a free slot of the wanted device
//	   └───┬───┘
//	       ▼  attempts/N.json created; N is the first free number
//	   ┌───────┐  drain, or the sweep's cancel mark   ┌────────┐
//	   │running│ ───────────────────────────────────► │stopping│
//	   └───┬───┘   "stop" on the child's stdin         └───┬────┘
//	       │                                                │ too slow: SIGKILL
//	       ▼                                                ▼
//	┌─────────────────── the child has exited ───────────────────┐
//	│ said result       outcome.json created, by us or another   │ ─► Completed
//	│ said interrupted  checkpoint written                       │ ─► Interrupted or Canceled
//	│ said failed       permanent: failure.json                  │ ─► Failed
//	│ no memory         and one picture at a time: failure.json  │ ─► Failed
//	│ said nothing,     too many crashes: failure.json           │ ─► Failed
//	│ or failed         otherwise the queue tries again          │ ─► Retry
//	└────────────────────────────────────────────────────────────┘
//	       │  attempts/N.json completed, the slot given back
//
// # Who may die when
//
// The child: its checkpoints are in the store, and the next attempt goes on from
// the newest that verifies. The daemon: its children see the end of their
// standard input (and on Linux get a SIGKILL from the kernel) and exit; their
// attempts stay without an end and count as crashes. Both may be told twice to
// run the same job at the same time; the outcome is created once.
//
// # The pipe
//
// The child reads an order (one line of JSON) from its standard input, and
// later perhaps the line "stop". It writes events, one JSON object per line, to
// its standard output. Its standard error is for the log; the last lines of it
// explain a crash. Secrets travel in the order: arguments and environments can be
// read from outside.
package worker
