package search

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// random returns the generator of one purpose and trial: its draws depend on
// nothing else, so trials can be proposed in any order, by anyone.
func random(seed int64, purpose string, trial int) *rand.Rand {
	text := binary.LittleEndian.AppendUint64(nil, uint64(seed))
	text = binary.LittleEndian.AppendUint64(text, uint64(trial))
	sum := sha256.Sum256(append(text, purpose...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}

// prior draws a point from the prior.
func prior(space []Dimension, r *rand.Rand) []float64 {
	point := make([]float64, len(space))
	for i, d := range space {
		point[i] = d.snap(r.Float64())
	}
	return point
}
