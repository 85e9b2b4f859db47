package onnx

import (
	"slices"
	"strings"
	"testing"
)

// TestWindowOf resolves each way to say where windows lie. The wanted outputs
// are counted by hand: how many windows fit, and which pads they need.
func TestWindowOf(t *testing.T) {
	one := func(key string, xs ...int64) Attrs { return Attrs{key: xs} }
	with := func(parts ...Attrs) Attrs {
		all := Attrs{}
		for _, p := range parts {
			for k, v := range p {
				all[k] = v
			}
		}
		return all
	}
	ceil := Attrs{"ceil_mode": int64(1)}
	auto := func(mode string) Attrs { return Attrs{"auto_pad": mode} }
	for _, c := range []struct {
		name            string
		attrs           Attrs
		kernel, input   int
		out, begin, end int
	}{
		{"nothing said", nil, 3, 7, 5, 0, 0},
		{"stride", one("strides", 2), 3, 8, 3, 0, 0},
		{"pads", with(one("strides", 2), one("pads", 1, 2)), 3, 7, 4, 1, 2},
		{"dilation", one("dilations", 3), 3, 9, 3, 0, 0}, // the kernel spans 7
		{"the window as large as the input", nil, 7, 7, 1, 0, 0},
		{"ceil: a last window of a part", with(ceil, one("strides", 2)), 3, 8, 4, 0, 0},
		{"ceil where it fits exactly", with(ceil, one("strides", 2)), 3, 7, 3, 0, 0},
		{"ceil: no window that begins in the trailing pad", with(ceil, one("strides", 2), one("pads", 0, 1)), 1, 5, 3, 0, 1},
		{"ceil: one that begins at the last element", with(ceil, one("strides", 3), one("pads", 0, 0)), 2, 7, 3, 0, 0},
		{"ceil with a leading pad", with(ceil, one("strides", 2), one("pads", 1, 1)), 2, 6, 4, 1, 1},
		{"NOTSET keeps the pads", with(auto("NOTSET"), one("pads", 1, 1)), 3, 5, 5, 1, 1},
		{"VALID drops the pads", with(auto("VALID"), one("pads", 5, 5)), 3, 7, 5, 0, 0},
		{"SAME_UPPER, even total", auto("SAME_UPPER"), 3, 7, 7, 1, 1},
		{"SAME_UPPER, the odd one behind", auto("SAME_UPPER"), 4, 7, 7, 1, 2},
		{"SAME_LOWER, the odd one in front", auto("SAME_LOWER"), 4, 7, 7, 2, 1},
		{"SAME_UPPER with a stride", with(auto("SAME_UPPER"), one("strides", 2)), 3, 8, 4, 0, 1},
		{"SAME_UPPER with a dilation", with(auto("SAME_UPPER"), one("dilations", 2)), 3, 7, 7, 2, 2},
		{"SAME with gaps between windows", with(auto("SAME_UPPER"), one("strides", 3)), 1, 7, 3, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, err := WindowOf(&Node{Attrs: c.attrs}, []int{c.kernel}, []int{c.input})
			if err != nil {
				t.Fatal(err)
			}
			if w.Out[0] != c.out || w.Begin[0] != c.begin || w.End[0] != c.end {
				t.Errorf("%d windows with pads %d and %d; want %d with %d and %d", w.Out[0], w.Begin[0], w.End[0], c.out, c.begin, c.end)
			}
		})
	}
}

// TestWindowOfAxes: each spatial dimension goes its own way, and pads are all
// beginnings before all ends.
func TestWindowOfAxes(t *testing.T) {
	n := &Node{Attrs: Attrs{"strides": []int64{1, 2}, "dilations": []int64{2, 1}, "pads": []int64{0, 1, 1, 0}}}
	w, err := WindowOf(n, []int{3, 2}, []int{8, 5})
	if err != nil {
		t.Fatal(err)
	}
	// 8 + 0 + 1 - 5 + 1 = 5 windows of span 5; (5 + 1 + 0 - 2)/2 + 1 = 3 of span 2.
	if !slices.Equal(w.Out, []int{5, 3}) || !slices.Equal(w.Begin, []int{0, 1}) || !slices.Equal(w.End, []int{1, 0}) {
		t.Errorf("windows %+v", w)
	}
}

func TestWindowOfErrors(t *testing.T) {
	for _, c := range []struct {
		attrs  Attrs
		kernel []int
		says   string
	}{
		{nil, []int{8}, "larger than the padded input"},
		{Attrs{"dilations": []int64{4}}, []int{3}, "larger than the padded input"},
		{nil, []int{2, 2}, "do not fit 1 spatial"},
		{nil, nil, "do not fit 1 spatial"},
		{Attrs{"strides": []int64{1, 1}}, []int{2}, "do not fit 1 spatial"},
		{Attrs{"pads": []int64{1}}, []int{2}, "do not fit 1 spatial"},
		{Attrs{"strides": []int64{0}}, []int{2}, "out of range"},
		{Attrs{"dilations": []int64{0}}, []int{2}, "out of range"},
		{Attrs{"pads": []int64{-1, 0}}, []int{2}, "out of range"},
		{nil, []int{0}, "out of range"},
	} {
		if _, err := WindowOf(&Node{Attrs: c.attrs}, c.kernel, []int{7}); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%v, kernel %v: error %v; it must speak of %q", c.attrs, c.kernel, err, c.says)
		}
	}
}
