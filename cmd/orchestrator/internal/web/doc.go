// Package web serves what `orchestrator serve` shows: a JSON API over the sweeps of
// a store, events while they change, the pages in ui/, and the queue's own pages.
//
// # One table
//
// Every route is a line of the table in routes.go: its method and path, the role
// that it asks for, what answers it. The server mounts nothing else, so the table
// is what has to be read to know who may do what; the tests of access and
// docs/api.openapi.json are made from it.
//
// # What it holds in memory
//
// The store is the truth: everything is read from it, through package scheduler
// as the commands do. Held are plans, the small figures of jobs, sessions, a bounded
// number of thumbnails, and one poller for each sweep that somebody watches.
//
// # Who may do what
//
// Without tokens or a provider of identities everybody who can reach the server may
// do everything, so that it listens on loopback only. Else whoever signs in gets a
// session: see auth.go. docs/serving.md describes it for those who run it.
package web
