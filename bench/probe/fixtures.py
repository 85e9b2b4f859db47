#!/usr/bin/env python3
"""What scikit-learn makes of features that a formula gives.

Writes trainer/linear/testdata/sklearn.json, which the tests of trainer/linear
compare with:

    python3 bench/probe/fixtures.py > trainer/linear/testdata/sklearn.json
"""

import json
import sys

import numpy as np
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

# Rows, features, classes; the first two thirds of the rows are trained on.
DATA = [(60, 8, 2), (90, 300, 2), (90, 12, 3), (120, 400, 4)]
STRENGTHS = [2.0**-5, 1.0, 2.0**5, 2.0**10]


def features(n, d, classes):
    """The formula of the tests: integers modulo a prime, so that it is exact."""
    i, j = np.arange(n)[:, None], np.arange(d)[None, :]
    x = ((i * i * 7919 + (i + 3) * (j + 1) * (j + 5) * 104729 + j * 31) % 100003) / 100003 - 0.5
    y = (np.arange(n) * 7 + np.arange(n) ** 2 // 5) % classes
    x += 0.4 * ((j % classes) == y[:, None]) * (j < 3 * classes)
    return x, y


def softmax_objective(model, x, y, c):
    p = model.predict_log_proba(x)
    return 0.5 * (model.coef_**2).sum() - c * p[np.arange(len(y)), y].sum()


def svm_objective(x, y, c, classes):
    """The optimum of each pair's SVM, summed. LIBSVM keeps its kernel in single
    precision, which leaves pictures off the margin by some 1e-7; the primal
    objective magnifies that by C, the dual one, equal at the optimum, does not."""
    total = 0.0
    for a in range(classes):
        for b in range(a + 1, classes):
            rows = (y == a) | (y == b)
            model = SVC(kernel="linear", C=c, tol=1e-9).fit(x[rows], y[rows])
            total += np.abs(model.dual_coef_).sum() - 0.5 * (model.coef_**2).sum()
    return total


def main():
    cases = []
    for n, d, classes in DATA:
        x, y = features(n, d, classes)
        train = n * 2 // 3
        for c in STRENGTHS:
            logistic = LogisticRegression(C=c, tol=1e-10, max_iter=1000, solver="newton-cg")
            svm = SVC(kernel="linear", C=c, tol=1e-9)
            for name, model in (("softmax", logistic), ("svm", svm)):
                model.fit(x[:train], y[:train])
                if name == "softmax":
                    objective = softmax_objective(model, x[:train], y[:train], c)
                else:
                    objective = svm_objective(x[:train], y[:train], c, classes)
                cases.append({
                    "n": n, "d": d, "classes": classes, "classifier": name, "c": c,
                    "objective": float(objective), "accuracy": float(model.score(x[train:], y[train:])),
                    "predicted": [int(p) for p in model.predict(x[train:])],
                })
    out = {"sklearn": sklearn.__version__, "cases": cases}
    sys.stdout.write("{\"sklearn\": %s, \"cases\": [\n" % json.dumps(out["sklearn"]))
    sys.stdout.write(",\n".join(json.dumps(c) for c in cases))
    sys.stdout.write("\n]}\n")


if __name__ == "__main__":
    main()
