package autodiff

// rules is the gradient table: one formula per input of each operator. A nil
// formula, or an input beyond the row, has no gradient. The rows of variadic
// repeat their only formula for every input.
//
// Opset onnx.Opset is the only one that the rules know.
var rules = map[string][]formula{
	// One input, element by element.
	"Abs":                {absX},
	"Cast":               {castX},
	"Ceil":               {nil},
	"Celu":               {celuX},
	"Clip":               {clipX, nil, nil},
	"Cos":                {cosX},
	"Elu":                {eluX},
	"Erf":                {erfX},
	"Exp":                {expX},
	"Floor":              {nil},
	"HardSigmoid":        {hardSigmoidX},
	"HardSwish":          {hardSwishX},
	"Identity":           {passDY},
	"LeakyRelu":          {leakyReluX},
	"Log":                {logX},
	"Mish":               {mishX},
	"Neg":                {negX},
	"Reciprocal":         {reciprocalX},
	"Relu":               {reluX},
	"Round":              {nil},
	"Selu":               {seluX},
	"Sigmoid":            {sigmoidX},
	"Sign":               {nil},
	"Sin":                {sinX},
	"Softplus":           {softplusX},
	"Softsign":           {softsignX},
	"Sqrt":               {sqrtX},
	"Tanh":               {tanhX},
	"ThresholdedRelu":    {thresholdedReluX},
	"com.microsoft.Gelu": {geluX},

	// Several inputs, element by element, with broadcasting.
	"Add":   {passDY, passDY},
	"Div":   {divA, divB},
	"Max":   {extremeX},
	"Mean":  {meanX},
	"Min":   {extremeX},
	"Mul":   {mulA, mulB},
	"PRelu": {preluX, preluSlope},
	"Pow":   {powBase, powExponent},
	"Sub":   {passDY, subB},
	"Sum":   {passDY},
	"Where": {nil, whereA, whereB},

	// Matrix products.
	"Einsum": {einsumX},
	"Gemm":   {gemmA, gemmB, gemmC},
	"MatMul": {matmulA, matmulB},

	// Reductions; the axes are the second input.
	"ReduceL1":        {reduceL1X, nil},
	"ReduceL2":        {reduceL2X, nil},
	"ReduceLogSum":    {reduceLogSumX, nil},
	"ReduceLogSumExp": {reduceLogSumExpX, nil},
	"ReduceMax":       {reduceExtremeX, nil},
	"ReduceMean":      {reduceMeanX, nil},
	"ReduceMin":       {reduceExtremeX, nil},
	"ReduceSum":       {reduceSumX, nil},
	"ReduceSumSquare": {reduceSumSquareX, nil},

	// Moving elements.
	"Concat":         {concatX},
	"CumSum":         {cumSumX, nil},
	"DepthToSpace":   {depthToSpaceX},
	"Expand":         {passDY, nil},
	"Flatten":        {reshapeX},
	"Gather":         {gatherX, nil},
	"GatherElements": {gatherElementsX, nil},
	"Pad":            {padX, nil, nil, nil},
	"Reshape":        {reshapeX, nil},
	"Resize":         {resizeX, nil, nil, nil},
	"Shape":          {nil},
	"Slice":          {sliceX, nil, nil, nil, nil},
	"SpaceToDepth":   {spaceToDepthX},
	"Split":          {splitX, nil},
	"Squeeze":        {reshapeX, nil},
	"Tile":           {tileX, nil},
	"Transpose":      {transposeX},
	"Trilu":          {triluX, nil},
	"Unsqueeze":      {reshapeX, nil},

	// Convolution and pooling.
	"AveragePool":       {averagePoolX},
	"Conv":              {convX, convW, convB},
	"ConvTranspose":     {convTransposeX, convTransposeW, convB},
	"GlobalAveragePool": {globalAveragePoolX},
	"GlobalMaxPool":     {globalMaxPoolX},
	"MaxPool":           {maxPoolX},

	// Normalisation, probabilities.
	"BatchNormalization":    {batchNormX, batchNormScale, batchNormBias, batchNormMean, batchNormVariance},
	"Dropout":               {dropoutX, nil, nil},
	"InstanceNormalization": {instanceNormX, instanceNormScale, instanceNormBias},
	"LRN":                   {lrnX},
	"LayerNormalization":    {layerNormX, layerNormScale, passDY},
	"LogSoftmax":            {logSoftmaxX},
	"Softmax":               {softmaxX},
}

// variadic operators have one formula for all their inputs.
var variadic = map[string]bool{"Concat": true, "Einsum": true, "Max": true, "Mean": true, "Min": true, "Sum": true}

// formulaFor is the formula for input i, or nil.
func formulaFor(op string, row []formula, i int) formula {
	switch {
	case variadic[op]:
		return row[0]
	case i < len(row):
		return row[i]
	}
	return nil
}
