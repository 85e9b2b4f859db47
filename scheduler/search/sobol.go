package search

import (
	"fmt"
	"math/bits"
	"sync"
)

// sobolBits is the precision of Sobol points; the sequence has 2^sobolBits.
const sobolBits = 32

// recur continues the initial numbers m by the recurrence of the primitive
// polynomial with inner coefficients a (Joe and Kuo 2008, equation 3).
func recur(a uint32, m []uint32) (v [sobolBits]uint32) {
	s := len(m)
	for k := range v {
		if k < s {
			v[k] = m[k] << (sobolBits - 1 - k)
			continue
		}
		v[k] = v[k-s] ^ v[k-s]>>s
		for j := 1; j < s; j++ {
			if a>>(s-1-j)&1 == 1 {
				v[k] ^= v[k-j]
			}
		}
	}
	return v
}

// maxSobol is how many dimensions Sobol points have at most.
const maxSobol = 256

// numbers are the direction numbers made so far.
var numbers directionTable

// directionTable makes direction numbers when they are first asked for.
type directionTable struct {
	mu   sync.Mutex
	made [][sobolBits]uint32
}

func (d *directionTable) upTo(n int) [][sobolBits]uint32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.made) < n {
		d.made = directions(n)
	}
	return d.made
}

// sobol returns point n of the scrambled sequence.
func sobol(space []Dimension, seed int64, n int) ([]float64, error) {
	if len(space) > maxSobol {
		return nil, fmt.Errorf("search: %d parameters; Sobol points have at most %d dimensions: use random search", len(space), maxSobol)
	}
	table := numbers.upTo(len(space))
	if int64(n) >= 1<<sobolBits {
		return nil, fmt.Errorf("search: trial %d; a Sobol sequence has 2^%d points", n, sobolBits)
	}
	point := make([]float64, len(space))
	for i, d := range space {
		key := random(seed, "sobol", i).Uint64()
		point[i] = d.snap(float64(scramble(vertex(&table[i], uint32(n)), key)) * (1.0 / (1 << sobolBits)))
	}
	return point, nil
}

// vertex is the plain Sobol number n of one dimension, by its binary digits.
func vertex(v *[sobolBits]uint32, n uint32) (x uint32) {
	for ; n != 0; n &= n - 1 {
		x ^= v[bits.TrailingZeros32(n)]
	}
	return x
}

// scramble is Owen's nested uniform scrambling: each binary digit is flipped
// or not by a hash of all digits before it, which keeps every dyadic
// interval's count of points.
func scramble(x uint32, key uint64) uint32 {
	y := x
	for k := range sobolBits {
		// The digits before digit k, with a mark that says how many they are.
		prefix := uint64(x)>>(sobolBits-k) | 1<<k
		y ^= uint32(mix(key^prefix)>>63) << (sobolBits - 1 - k)
	}
	return y
}

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied
// twice as the inputs are small numbers.
func mix(z uint64) uint64 {
	for range 2 {
		z += 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
	}
	return z
}
