package search

import "math/bits"

// The direction numbers of the Sobol sequence are made here rather than taken from
// a table: primitive polynomials over GF(2) in order of their degree (Sobol 1967,
// Bratley and Fox 1988), and for each the first of a few draws of initial numbers
// that leaves its plane with each of the dimensions before it evenly filled, as
// Joe and Kuo (2008) choose theirs.

const (
	// checkedBits is how many bits of the sequence the choice looks at: 2^10 points,
	// more trials than most sweeps have.
	checkedBits = 10
	// checkedWith is with how many of the dimensions before it a dimension is held.
	checkedWith = 8
	// draws is how many initial numbers are tried for a dimension.
	draws = 24
)

// directions are the direction numbers of the first n dimensions, v_1 to v_32 of
// each as fractions of 2^32. The first is van der Corput's sequence.
func directions(n int) [][sobolBits]uint32 {
	var first [sobolBits]uint32
	for k := range first {
		first[k] = 1 << (sobolBits - 1 - k)
	}
	table := [][sobolBits]uint32{first}
	for degree := 1; len(table) < n; degree++ {
		// The leading and the last coefficient of a primitive polynomial are 1.
		for inner := uint32(0); inner < 1<<max(degree-1, 0) && len(table) < n; inner++ {
			if primitive(1<<degree|inner<<1|1, degree) {
				table = append(table, bestOf(table, degree, inner))
			}
		}
	}
	return table
}

// bestOf draws initial numbers for a polynomial, and takes those with the most
// even planes.
func bestOf(table [][sobolBits]uint32, degree int, inner uint32) (best [sobolBits]uint32) {
	worst := checkedBits + 1
	for draw := range draws {
		r := random(int64(draw), "direction numbers", len(table))
		m := make([]uint32, degree)
		for k := range m { // odd, and below 2^(k+1)
			m[k] = uint32(r.Uint64())&(1<<(k+1)-1) | 1
		}
		v := recur(inner, m)
		t := 0
		for _, other := range table[max(0, len(table)-checkedWith):] {
			t = max(t, quality(&v, &other))
		}
		if t < worst {
			worst, best = t, v
		}
	}
	return best
}

// primitive tells whether a polynomial of that degree, its coefficients the bits of
// p, is: whether the powers of x modulo p run through all 2^degree - 1 of them.
func primitive(p uint32, degree int) bool {
	if degree == 1 {
		return true
	}
	x := uint32(1)
	for n := 1; ; n++ {
		if x <<= 1; x>>degree == 1 {
			x ^= p
		}
		if x == 1 {
			return n == 1<<degree-1
		}
	}
}

// quality is the parameter t of the plane of two dimensions (Niederreiter 1992) for
// 2^checkedBits points: every rectangle of area 2^(t - checkedBits) with dyadic sides
// holds as many points. 0 is best.
func quality(a, b *[sobolBits]uint32) int {
	for q := checkedBits; q > 0; q-- {
		even := true
		for k := 0; k <= q && even; k++ {
			even = independent(a, k, b, q-k)
		}
		if even {
			return checkedBits - q
		}
	}
	return checkedBits
}

// independent tells whether the first rows of two generator matrices are, over GF(2).
func independent(a *[sobolBits]uint32, rowsA int, b *[sobolBits]uint32, rowsB int) bool {
	var basis [checkedBits]uint32 // by leading bit
	for i := range rowsA + rowsB {
		v, digit := a, i
		if i >= rowsA {
			v, digit = b, i-rowsA
		}
		row := uint32(0)
		for k := range checkedBits {
			row |= v[k] >> (sobolBits - 1 - digit) & 1 << k
		}
		for row != 0 {
			top := bits.Len32(row) - 1
			if basis[top] == 0 {
				basis[top] = row
				break
			}
			row ^= basis[top]
		}
		if row == 0 {
			return false
		}
	}
	return true
}
