package analysis

import (
	"encoding/json"
	"math"
)

// Number is a figure that may be unknown: NaN here, null in JSON.
type Number float64

// Unknown is the number that is not known.
var Unknown = Number(math.NaN())

// Known tells whether the number is.
func (n Number) Known() bool { return !math.IsNaN(float64(n)) && !math.IsInf(float64(n), 0) }

// MarshalJSON writes null for what is not finite.
func (n Number) MarshalJSON() ([]byte, error) {
	if !n.Known() {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (n *Number) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		*n = Unknown
		return nil
	}
	return json.Unmarshal(data, (*float64)(n))
}
