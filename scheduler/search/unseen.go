package search

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
)

// redraws is how often an unseen point is looked for at random before a
// finite space is walked through.
const redraws = 32

// seen knows the points that have been proposed.
type seen struct {
	space  []Dimension
	points map[string]bool
	// size counts the points of a finite space, those included that do not differ
	// in what counts; 0 where it is infinite, or so large that nobody will exhaust
	// it.
	size        int
	conditional bool
}

func newSeen(space []Dimension) *seen {
	return &seen{space: space, points: map[string]bool{}, size: size(space), conditional: conditional(space)}
}

func (s *seen) add(point []float64) { s.points[string(s.key(nil, point))] = true }

// size multiplies the levels that can be proposed.
func size(space []Dimension) int {
	n := 1
	for _, d := range space {
		if d.Kind == Continuous {
			return 0
		}
		levels := len(d.possible())
		if n > math.MaxInt32/levels {
			return 0
		}
		n *= levels
	}
	return n
}

// possible lists the levels whose cells are not empty.
func (d Dimension) possible() []int {
	levels := make([]int, 0, d.Levels)
	for k := range d.Levels {
		if low, high := d.cell(k); low < high {
			levels = append(levels, k)
		}
	}
	return levels
}

// key writes what tells points apart: levels, and continuous coordinates, of the
// dimensions that count.
func (s *seen) key(buf []byte, point []float64) []byte {
	counts := counting(s.space, point)
	for i, d := range s.space {
		u := point[i]
		if counts != nil && !counts[i] {
			buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(-1))
			continue
		}
		if d.Kind == Ordinal {
			u = float64(d.level(u))
		}
		buf = binary.LittleEndian.AppendUint64(buf, math.Float64bits(u))
	}
	return buf
}

func (s *seen) has(point []float64) bool {
	return s.points[string(s.key(nil, point))]
}

// exhausted reports whether a finite space has no unseen point left.
func (s *seen) exhausted() bool {
	if s.size == 0 || len(s.points) >= s.size || !s.conditional {
		return s.size > 0 && len(s.points) >= s.size
	}
	n := 0
	for range combinations(s.space) {
		if n++; n > len(s.points) {
			return false
		}
	}
	return true
}

// orUnseen returns the point, or an unseen one if it has been proposed
// before: a few draws from the prior, and then, where the space is finite, a
// walk, which meets an unseen one after at most as many steps as there are
// outcomes.
func (s *seen) orUnseen(point []float64, r *rand.Rand) []float64 {
	for range redraws {
		if !s.has(point) {
			return point
		}
		point = prior(s.space, r)
	}
	switch {
	case s.size == 0:
		return point
	case s.conditional:
		return s.anyUnseen(r)
	}
	for n := r.IntN(s.size); s.has(point); n = (n + 1) % s.size {
		point = s.number(n)
	}
	return point
}

// anyUnseen picks one of the first unseen points of a space with conditions, which
// is not exhausted.
func (s *seen) anyUnseen(r *rand.Rand) []float64 {
	const enough = 1000
	var all [][]float64
	for point := range combinations(s.space) {
		if !s.has(point) {
			if all = append(all, slices.Clone(point)); len(all) == enough {
				break
			}
		}
	}
	return all[r.IntN(len(all))]
}

// number returns point n of a finite space, in mixed radix.
func (s *seen) number(n int) []float64 {
	point := make([]float64, len(s.space))
	for i, d := range s.space {
		levels := d.possible()
		point[i] = d.coordinate(levels[n%len(levels)])
		n /= len(levels)
	}
	return point
}
