// Package queue hands jobs to workers through asynq on Redis, or on an embedded
// Redis inside the process. It is both ends: the scheduler's (Enqueue, States,
// Withdraw) and the worker's (Serve). It alone imports asynq, go-redis,
// miniredis and asynqmon.
//
// # What is promised
//
// The queue only dispatches; what was done is recorded in the artifact store.
// Delivery is at least once. Losing Redis with all that is in it loses no
// result: whoever reconciles the sweep next enqueues what has no outcome.
// Delivering a job twice is harmless, since an outcome is created once and a
// handler asks first whether it exists.
//
// # How a job moves
//
//	Enqueue ──► pending ──► active ──► completed          Done
//	               ▲          │
//	               │          ├──────► retry ──► pending  Retry, Interrupted
//	               │          └──────► archived           Permanent
//	               └── Rescue ┘
//
// The job's ID is the task's ID, so that a job is in a queue at most once. There
// is a queue for each set of resources that jobs ask for: the device, the label of a
// worker, the number of slots, as in "cuda", "any" or "cuda@a100-x2". Priority is the
// order within a queue.
//
// # Who runs a job
//
// asynq takes a job from a dead worker 60 to 120 seconds after its death, and
// it cancels a healthy handler 29 seconds into an outage of Redis. Training
// must neither wait for the one nor suffer from the other. Handlers therefore
// run detached from asynq, and hold a claim of our own: a key per running job
// that its worker refreshes every second and that expires after six. It
// serves three ends:
//
//   - Rescue, which every server runs, puts an active job back in front of its
//     queue when nobody has claimed it for some seconds.
//   - A worker that is handed a job that another one still holds (after an
//     outage) gives it back for a while instead of training it twice.
//   - A worker that finds that another has claimed its job, as it was stopped or cut
//     off itself, stops running it and leaves the claim alone.
//   - A worker that is handed a job that it runs itself joins the running
//     handler, and reports its result.
//
// # Clusters
//
// A queue's keys share a hash tag, "{any}", and so a node of a Redis Cluster: our
// scripts and transactions are on one queue each. Claims and progress are keys
// of a job, anywhere, and read by pipelines, which the client splits by node.
package queue
