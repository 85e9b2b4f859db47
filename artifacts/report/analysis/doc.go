// Package analysis turns the results and the answers of sweeps into what pages,
// reports and commands show of them: how good a classifier's answers are class by
// class, whether two trials differ, which parameters matter. The structures' JSON
// is a contract with the pages and with scripts; what is not known is null.
//
// Every figure comes with the words that it must not be read without: that folds
// share training pictures, that there are few of them, that the best of many looks
// better than it is. What cannot be compared is refused with the reason. All
// functions depend on their arguments alone.
package analysis
