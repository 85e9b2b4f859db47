// Package docker holds the container files beside docker-compose.yml and the
// test that keeps them true.
package docker
