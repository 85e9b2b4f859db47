package trainer

import "math"

// Crop is a window of a picture.
type Crop struct {
	Top, Left int
	Mirror    bool
}

// Crops are the windows of side crop of a picture that an evaluation takes: with
// n = 1 the central one; with 5 those in the corners, row by row, and the central
// one; with 10 these and then their mirror images, as Caffe's oversample.
func Crops(height, width, crop, n int) []Crop {
	down, right := 0, 0
	if crop > 0 {
		down, right = height-crop, width-crop
	}
	central := Crop{Top: down / 2, Left: right / 2}
	if n <= 1 {
		return []Crop{central}
	}
	crops := []Crop{{}, {Left: right}, {Top: down}, {Top: down, Left: right}, central}
	if n == 10 {
		for _, c := range crops[:5] {
			c.Mirror = true
			crops = append(crops, c)
		}
	}
	return crops
}

// checkOversample refuses what Crops does not know.
func checkOversample(n int, d Data) error {
	switch n {
	case 0, 1:
		return nil
	case 5, 10:
		if _, _, _, crop := d.Geometry(); crop > 0 {
			return nil
		}
		return badJob("%d crops of each picture, but no crop is set", n)
	}
	return badJob("%d crops of each picture; there may be 1, 5 or 10", n)
}

// repeated has each sample n times in a row, once for each of its crops.
func repeated(samples []int, n int) []int {
	if n <= 1 {
		return samples
	}
	out := make([]int, 0, n*len(samples))
	for _, s := range samples {
		for range n {
			out = append(out, s)
		}
	}
	return out
}

// averaged makes one prediction of those for each picture's n crops: the mean of
// their probabilities.
func averaged(crops []Prediction, n int) []Prediction {
	if n <= 1 {
		return crops
	}
	out := make([]Prediction, 0, len(crops)/n)
	for ; len(crops) > 0; crops = crops[n:] {
		out = append(out, mean(crops[:n]))
	}
	return out
}

func mean(crops []Prediction) Prediction {
	p := Prediction{Sample: crops[0].Sample, Label: crops[0].Label, Loss: meanLikelihoodLoss(crops)}
	for c := range crops[0].Probabilities {
		sum := 0.0
		for _, one := range crops {
			sum += float64(one.Probabilities[c])
		}
		p.Probabilities = append(p.Probabilities, float32(sum/float64(len(crops))))
		if p.Probabilities[c] > p.Probabilities[p.Predicted] {
			p.Predicted = c
		}
	}
	return p
}

// meanLikelihoodLoss is -ln of the mean of the label's probabilities, which may
// each be too small for a number.
func meanLikelihoodLoss(crops []Prediction) float64 {
	if crops[0].Label < 0 || crops[0].Label >= len(crops[0].Probabilities) {
		return 0
	}
	least := math.Inf(1)
	for _, one := range crops {
		least = math.Min(least, one.Loss)
	}
	if math.IsInf(least, 0) {
		return least
	}
	sum := 0.0
	for _, one := range crops {
		sum += math.Exp(least - one.Loss)
	}
	return least - math.Log(sum/float64(len(crops)))
}
