package plan

// MostDense is of how many classes a confusion matrix is written whole; of more, by
// the pairs that occur.
const MostDense = 3000

// SetConfusion takes a confusion as [class, predicted class, count] of every pair that
// occurs; nil where nothing was predicted.
func (o *Outcome) SetConfusion(cells [][3]int) {
	o.Confusion, o.ConfusionCells = SplitConfusion(cells, len(o.Classes))
}

// SplitConfusion is the form in which a confusion of so many classes is written: one
// of both, the other is nil.
func SplitConfusion(cells [][3]int, classes int) (matrix [][]int, pairs [][3]int) {
	if cells == nil || classes > MostDense {
		return nil, cells
	}
	matrix = make([][]int, classes)
	for i := range matrix {
		matrix[i] = make([]int, classes)
	}
	for _, c := range cells {
		matrix[c[0]][c[1]] = c[2]
	}
	return matrix, nil
}
