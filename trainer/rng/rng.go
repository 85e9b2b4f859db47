// Package rng draws every random number of the system from counters instead of
// from a running stream: the generator for a purpose is made from the words
// that identify it (seed, epoch, step, ...). A resumed job therefore draws
// exactly what the unbroken one would have drawn, with no state to save.
package rng

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// New returns the generator for one purpose. The numbers it yields depend on
// the seed, the purpose and the counters only; math/rand/v2 guarantees that PCG
// yields the same numbers in every Go release.
//
//	rng.New(seed, "shuffle", epoch).Shuffle(n, swap)
func New(seed int64, purpose string, counters ...int) *rand.Rand {
	h := sha256.New()
	_ = binary.Write(h, binary.LittleEndian, seed)
	_ = binary.Write(h, binary.LittleEndian, int64(len(purpose)))
	h.Write([]byte(purpose))
	for _, c := range counters {
		_ = binary.Write(h, binary.LittleEndian, int64(c))
	}
	sum := h.Sum(nil)
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])))
}
