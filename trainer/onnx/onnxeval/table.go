package onnxeval

import "math"

// row is one operator: how many inputs it must have, and what it computes.
type row struct {
	required int
	eval     operator
}

// table is every operator that the evaluator knows, by the name that
// onnx.Builder.Op takes.
var table = map[string]row{
	// Convolutions and pools.
	"Conv":              {2, conv},
	"ConvTranspose":     {2, convTranspose},
	"MaxPool":           {1, maxPool},
	"AveragePool":       {1, averagePool},
	"LpPool":            {1, lpPool},
	"GlobalAveragePool": {1, globalPool(average)},
	"GlobalMaxPool":     {1, globalPool(largest)},

	// Normalisation.
	"BatchNormalization":    {5, batchNormalization},
	"InstanceNormalization": {3, instanceNormalization},
	"LayerNormalization":    {2, layerNormalization},
	"LRN":                   {1, lrn},
	"LpNormalization":       {1, lpNormalization},

	// Products.
	"MatMul":                    {2, matMul},
	"Gemm":                      {2, gemm},
	"Einsum":                    {1, einsum},
	"com.microsoft.FusedMatMul": {2, fusedMatMul},

	// Activations.
	"Relu":               {1, unary(relu)},
	"LeakyRelu":          {1, unaryAlpha(0.01, leakyRelu)},
	"PRelu":              {2, binary(prelu)},
	"ThresholdedRelu":    {1, unaryAlpha(1, thresholdedRelu)},
	"Elu":                {1, unaryAlpha(1, elu)},
	"Celu":               {1, unaryAlpha(1, celu)},
	"Selu":               {1, unary2("alpha", 1.67326319217681884765625, "gamma", 1.05070102214813232421875, selu)},
	"Sigmoid":            {1, unary(sigmoid)},
	"HardSigmoid":        {1, unary2("alpha", 0.2, "beta", 0.5, hardSigmoid)},
	"HardSwish":          {1, unary(hardSwish)},
	"Tanh":               {1, unary(math.Tanh)},
	"Softplus":           {1, unary(softplus)},
	"Softsign":           {1, unary(softsign)},
	"Mish":               {1, unary(mish)},
	"Gelu":               {1, gelu},
	"com.microsoft.Gelu": {1, gelu},
	"Softmax":            {1, softmaxLine(false)},
	"LogSoftmax":         {1, softmaxLine(true)},
	"Dropout":            {1, dropout},

	// Functions of each element.
	"Identity":   {1, identity},
	"Abs":        {1, unary(math.Abs)},
	"Neg":        {1, unary(neg)},
	"Sign":       {1, unary(sign)},
	"Reciprocal": {1, unary(reciprocal)},
	"Sqrt":       {1, unary(math.Sqrt)},
	"Exp":        {1, unary(math.Exp)},
	"Log":        {1, unary(math.Log)},
	"Erf":        {1, unary(math.Erf)},
	"Sin":        {1, unary(math.Sin)},
	"Cos":        {1, unary(math.Cos)},
	"Floor":      {1, unary(math.Floor)},
	"Ceil":       {1, unary(math.Ceil)},
	"Round":      {1, unary(math.RoundToEven)},
	"Clip":       {1, clip},
	"Cast":       {1, cast},
	"CastLike":   {2, castLike},
	"IsNaN":      {1, test(math.IsNaN)},
	"Not":        {1, test(func(x float64) bool { return x == 0 })},

	// Arithmetic and comparisons.
	"Add":            {2, binary(add)},
	"Sub":            {2, binary(sub)},
	"Mul":            {2, binary(mul)},
	"Div":            {2, div},
	"Mod":            {2, mod},
	"Pow":            {2, pow},
	"Min":            {1, variadic(func(a, b float64) float64 { return min(a, b) })},
	"Max":            {1, variadic(func(a, b float64) float64 { return max(a, b) })},
	"Sum":            {1, variadic(add)},
	"Mean":           {1, mean},
	"Equal":          {2, predicate(func(a, b float64) bool { return a == b })},
	"Less":           {2, predicate(func(a, b float64) bool { return a < b })},
	"LessOrEqual":    {2, predicate(func(a, b float64) bool { return a <= b })},
	"Greater":        {2, predicate(func(a, b float64) bool { return a > b })},
	"GreaterOrEqual": {2, predicate(func(a, b float64) bool { return a >= b })},
	"And":            {2, predicate(func(a, b float64) bool { return a != 0 && b != 0 })},
	"Or":             {2, predicate(func(a, b float64) bool { return a != 0 || b != 0 })},
	"Xor":            {2, predicate(func(a, b float64) bool { return (a != 0) != (b != 0) })},
	"Where":          {3, where},

	// Reductions.
	"ReduceSum":       {1, reduction(total)},
	"ReduceMean":      {1, reduction(average)},
	"ReduceMax":       {1, reduction(largest)},
	"ReduceMin":       {1, reduction(smallest)},
	"ReduceProd":      {1, reduction(multiplied)},
	"ReduceL1":        {1, reduction(norm1)},
	"ReduceL2":        {1, reduction(norm2)},
	"ReduceSumSquare": {1, reduction(sumSquare)},
	"ReduceLogSum":    {1, reduction(logSum)},
	"ReduceLogSumExp": {1, reduction(logSumExp)},
	"ArgMax":          {1, argument(func(a, b float64) bool { return a > b })},
	"ArgMin":          {1, argument(func(a, b float64) bool { return a < b })},
	"CumSum":          {2, cumSum},
	"TopK":            {2, topK},

	// Shapes.
	"Shape":        {1, shapeOp},
	"Size":         {1, size},
	"Reshape":      {2, reshapeOp},
	"Flatten":      {1, flatten},
	"Transpose":    {1, transposeOp},
	"Squeeze":      {1, squeeze},
	"Unsqueeze":    {2, unsqueeze},
	"Expand":       {2, expandOp},
	"Tile":         {2, tile},
	"Concat":       {1, concat},
	"Split":        {1, split},
	"Slice":        {3, slice},
	"Pad":          {2, pad},
	"DepthToSpace": {1, depthToSpace},
	"SpaceToDepth": {1, spaceToDepth},
	"Trilu":        {1, trilu},
	"Resize":       {1, resize},

	// Indices.
	"Gather":          {2, gather},
	"GatherElements":  {2, gatherElements},
	"GatherND":        {2, gatherND},
	"ScatterElements": {3, scatterElements},
	"ScatterND":       {3, scatterND},
	"OneHot":          {3, oneHot},

	// Constants.
	"Constant":        {0, constant},
	"ConstantOfShape": {1, constantOfShape},
	"Range":           {3, rangeOp},
}
