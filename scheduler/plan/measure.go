package plan

import "math"

// Space is what the plan's sweep searches, read again from its file, for whoever
// asks how much of the space a value stands for.
func (p *Plan) Space() (Space, error) {
	overrides := make([]Override, len(p.Overrides))
	for i, text := range p.Overrides {
		o, err := ParseOverride(text)
		if err != nil {
			return nil, err
		}
		overrides[i] = o
	}
	problems := &problems{file: p.ID, overrides: overrides, stored: true}
	root := readDocument([]byte(p.Source), problems)
	if root == nil {
		return nil, problems.err()
	}
	for i, o := range overrides {
		o.apply(root, i, problems)
	}
	doc, c := decode(root, problems)
	return append(doc.Parameters, doc.probeParameters(c.positions)...), problems.err()
}

// Choices are the values of a parameter that is a list, as trials name them; nil for
// ranges.
func (p *Parameter) Choices() []any {
	var all []any
	for _, c := range p.choices {
		all = append(all, c.plain())
	}
	return all
}

// ShareBelow is which share of a range's values, as its distribution has them, lies
// below a value: a number in [0, 1], in which the range is uniform. Of steps it is
// the middle of the value's own. false for lists.
func (p *Parameter) ShareBelow(value float64) (share float64, ok bool) {
	switch at := families[p.Distribution].at; {
	case at != nil:
		// The value rises, or falls, with the share: halve the interval that it is in.
		rising := at(p, 0.75) > at(p, 0.25)
		low, high := 0.0, 1.0
		for range 50 {
			middle := (low + high) / 2
			if (at(p, middle) < value) == rising {
				low = middle
			} else {
				high = middle
			}
		}
		if !rising {
			low = 1 - low
		}
		return low, true
	case len(p.choices) > 0 || p.size() < 1 || math.IsInf(p.size(), 1):
		return 0, false
	case p.Distribution == "q_uniform":
		first, _ := p.steps()
		return min(max((value/p.Q-first+0.5)/p.size(), 0), 1), true
	}
	return min(max((value-p.Min+0.5)/p.size(), 0), 1), true
}
