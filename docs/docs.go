// Package docs holds what the program itself prints of its documentation.
package docs

import _ "embed" // the files below

// SweepSchema is the JSON Schema of sweep files. It is generated from package plan:
// go test ./scheduler/plan -run TestSchemaMatchesTheCode -update.
//
//go:embed sweep.schema.json
var SweepSchema []byte
