package autodiff

import "orchestrator/trainer/onnx"

// softmaxX: Y·(dY - sum(dY·Y)).
func softmaxX(e *edge) onnx.Value {
	along := e.SumOver(e.Mul(e.DY(), e.Y(0)), e.axis(-1))
	return e.Mul(e.Y(0), e.Sub(e.DY(), along))
}

// logSoftmaxX: dY - softmax·sum(dY), with softmax = exp(Y).
func logSoftmaxX(e *edge) onnx.Value {
	return e.Sub(e.DY(), e.Mul(e.Exp(e.Y(0)), e.SumOver(e.DY(), e.axis(-1))))
}
