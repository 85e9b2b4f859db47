package builtin

import "orchestrator/trainer/surgery"

// caffeNet is the network of BVLC's models/bvlc_reference_caffenet: AlexNet on
// one processor with pooling before normalisation. Its input is 3×227×227, BGR
// minus the mean. With 1000 outputs it has 60,965,224 parameters.
func caffeNet(n *network, outputs int) {
	gaussian := func(std, bias float64) surgery.Init { return surgery.Init{Gaussian: std, Bias: bias} }
	pool := kernel{size: 3, stride: 2}

	n.input(227)
	n.conv("1", 96, kernel{size: 11, stride: 4, groups: 1}, gaussian(0.01, 0))
	n.maxPool("1", pool)
	n.lrn("1")
	n.conv("2", 256, kernel{size: 5, stride: 1, pad: 2, groups: 2}, gaussian(0.01, 1))
	n.maxPool("2", pool)
	n.lrn("2")
	n.conv("3", 384, kernel{size: 3, stride: 1, pad: 1, groups: 1}, gaussian(0.01, 0))
	n.conv("4", 384, kernel{size: 3, stride: 1, pad: 1, groups: 2}, gaussian(0.01, 1))
	n.conv("5", 256, kernel{size: 3, stride: 1, pad: 1, groups: 2}, gaussian(0.01, 1))
	n.maxPool("5", pool)
	n.fullTop(4096, outputs, gaussian(0.005, 1), gaussian(0.01, 0))
}

// fullTop is CaffeNet's upper part: two hidden layers with Dropout and the classes.
func (n *network) fullTop(width, outputs int, hidden, last surgery.Init) {
	n.flatten()
	for _, number := range []string{"6", "7"} {
		n.full("fc"+number, width, hidden)
		n.relu("relu" + number)
		n.dropout("drop"+number, 0.5)
	}
	n.full("fc8", outputs, last)
	n.softmax()
}
