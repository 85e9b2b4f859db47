package search

import (
	_ "embed"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"sync"
)

// joeKuo has the first dimensions of Joe and Kuo's table of primitive
// polynomials and direction numbers (criterion D6, new-joe-kuo-6.21201):
// dimension, degree s, inner coefficients a, and m_1 to m_s.
//
//go:embed joekuo.txt
var joeKuo string

// sobolBits is the precision of Sobol points; the sequence has 2^sobolBits.
const sobolBits = 32

// directions returns, for each dimension of the table, the direction
// numbers v_1 to v_32 as fractions of 2^32.
var directions = sync.OnceValues(func() ([][sobolBits]uint32, error) {
	var first [sobolBits]uint32 // van der Corput's sequence
	for k := range first {
		first[k] = 1 << (sobolBits - 1 - k)
	}
	table := [][sobolBits]uint32{first}
	for line := range strings.Lines(joeKuo) {
		var numbers []uint32
		for _, field := range strings.Fields(line) {
			n, err := strconv.ParseUint(field, 10, 32)
			if err != nil {
				return nil, fmt.Errorf("direction numbers: %w", err)
			}
			numbers = append(numbers, uint32(n))
		}
		if len(numbers) < 4 || len(numbers) != 3+int(numbers[1]) {
			return nil, fmt.Errorf("direction numbers: %q has not as many as its degree", line)
		}
		table = append(table, recur(numbers[2], numbers[3:]))
	}
	return table, nil
})

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

// sobol returns point n of the scrambled sequence.
func sobol(space []Dimension, seed int64, n int) ([]float64, error) {
	table, err := directions()
	if err != nil {
		return nil, err
	}
	if len(space) > len(table) {
		return nil, fmt.Errorf("search: %d parameters; Sobol points have at most %d dimensions: use random search", len(space), len(table))
	}
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
