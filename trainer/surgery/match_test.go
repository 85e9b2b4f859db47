package surgery

import (
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"fc8", "fc8", true},
		{"fc8", "fc80", false},
		{"fc8*", "fc8.weight", true},
		{"conv*", "conv1", true},
		{"*", "features/0/conv", true},
		{"features*conv", "features/0/conv", true},
		{"features/?/conv", "features/0/conv", true},
		{"conv[1-3]", "conv2", true},
		{"conv[1-3]", "conv4", false},
		{"conv?", "conv10", false},
		{"conv1?", "conv10", true},
		{"layer[0]", "layer[0]", true}, // a name with brackets names itself
		{"layer[", "layer[", true},
		{"layer[", "layer1", false}, // not well formed
		{"", "conv1", false},
		{"", "", true},
	} {
		if got := Match(c.glob, c.name); got != c.want {
			t.Errorf("Match(%q, %q) = %v, want %v", c.glob, c.name, got, c.want)
		}
	}
}
