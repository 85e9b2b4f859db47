package builtin

import "orchestrator/trainer/surgery"

// smallNet is for pictures of some 32 to 64 pixels: four convolutions with batch
// normalisation, a global average, one fully connected layer; fewer than 100,000
// parameters with up to 500 outputs. The global average makes it take every picture size, whatever
// its input declares.
func smallNet(n *network, outputs int) {
	msra := surgery.Init{MSRA: true}
	three := kernel{size: 3, stride: 1, pad: 1, groups: 1}
	halve := kernel{size: 3, stride: 2}

	n.input(32)
	n.convNorm("1", 16, three, msra)
	n.maxPool("1", halve)
	n.convNorm("2", 32, three, msra)
	n.maxPool("2", halve)
	n.convNorm("3", 64, three, msra)
	n.maxPool("3", halve)
	n.convNorm("4", 64, three, msra)
	n.globalPool()
	n.flatten()
	n.full("fc", outputs, surgery.Init{Xavier: true})
	n.softmax()
}

// tinyNet has one of each kind of layer, Dropout included, so that a run of
// seconds still exercises all that a step does. Like smallNet it takes every
// picture size.
func tinyNet(n *network, outputs int) {
	msra := surgery.Init{MSRA: true}

	n.input(32)
	n.conv("1", 8, kernel{size: 5, stride: 2, pad: 2, groups: 1}, msra)
	n.maxPool("1", kernel{size: 3, stride: 2})
	n.conv("2", 16, kernel{size: 3, stride: 1, pad: 1, groups: 1}, msra)
	n.globalPool()
	n.flatten()
	n.dropout("drop", 0.1)
	n.full("fc", outputs, surgery.Init{Xavier: true})
	n.softmax()
}

// miniCaffeNet has CaffeNet's layers, by name and kind, for pictures of 32 pixels:
// what is said of CaffeNet's layers can be tried on it in seconds.
func miniCaffeNet(n *network, outputs int) {
	msra := surgery.Init{MSRA: true}
	pool := kernel{size: 3, stride: 2}

	n.input(32)
	n.conv("1", 16, kernel{size: 5, stride: 1, pad: 2, groups: 1}, msra)
	n.maxPool("1", pool)
	n.lrn("1")
	n.conv("2", 24, kernel{size: 5, stride: 1, pad: 2, groups: 2}, msra)
	n.maxPool("2", pool)
	n.lrn("2")
	n.conv("3", 32, kernel{size: 3, stride: 1, pad: 1, groups: 1}, msra)
	n.conv("4", 32, kernel{size: 3, stride: 1, pad: 1, groups: 2}, msra)
	n.conv("5", 24, kernel{size: 3, stride: 1, pad: 1, groups: 2}, msra)
	n.maxPool("5", pool)
	n.fullTop(64, outputs, msra, msra)
}
