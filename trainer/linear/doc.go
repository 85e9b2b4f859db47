// Package linear fits linear classifiers to features that are many more than the
// pictures: L2-regularised logistic regression and linear support vector machines,
// with scikit-learn's objectives (LogisticRegression and SVC(kernel="linear")).
//
// The weights of either are a sum of the pictures' features (the representer
// theorem), so that nothing of the features matters but their inner products.
// Compress therefore turns n rows of d features into n rows of at most n, with the
// same inner products:
//
//	features n × d ──Gram──► n × n ──Factor──► n × r, r ≤ n
//
// One pass over the features, whatever d is, serves every fold, every
// classifier and every C. All is float64 and deterministic.
package linear
