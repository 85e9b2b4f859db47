// Package scoremap shows where in a picture a network sees its classes: the
// network is applied to every place (surgery's fully convolutional form), which
// gives a map of class probabilities, and the map is drawn over the picture.
package scoremap
