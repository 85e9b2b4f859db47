// Package tools holds the scripts that install what the program is built and run
// with, and the tests of those that can go wrong on a user's machine.
package tools
