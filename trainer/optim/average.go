package optim

import "orchestrator/trainer/onnx"

// Average is the exponential moving average (Polyak and Juditsky 1992, as in
// tf.train.ExponentialMovingAverage) after one more value: with r the number
// that AverageShare gives for this update, mean + r·(value - mean).
func Average(b *onnx.Builder, mean, value, share onnx.Value) onnx.Value {
	return b.Op("Add", nil, mean, b.Op("Mul", nil, b.Op("Sub", nil, value, mean), share))
}

// AverageShare is the share 1 - min(decay, (1+t)/(10+t)) of the newest value in
// the t-th update, counted from 1. Early updates weigh more than 1 - decay, or
// the weights that a short training starts from would never leave the average.
func AverageShare(decay float64, update int) float64 {
	t := float64(update)
	return 1 - min(decay, (1+t)/(10+t))
}
