// Package deploy holds what puts the system on hosts and clusters (systemd units,
// Kubernetes manifests) and the test that keeps it true.
package deploy
