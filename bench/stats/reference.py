#!/usr/bin/env python3
"""What SciPy and scikit-learn compute, for the tests of artifacts/report/stats.

    pip install scipy==1.17.1 scikit-learn==1.9.1
    python3 bench/stats/reference.py > artifacts/report/stats/testdata/reference.json

The signed-rank test with Pratt's zeros is scipy.stats.wilcoxon: with
PermutationMethod where it can try every assignment of signs (its own
method="exact" knows no ties), and with method="asymptotic" for many pairs.
Scores are drawn on a grid of 1/40, as the accuracies of small folds are, so that
there are ties and zeros.
"""
import json
import math

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics


def wilcoxon(a, b, method):
    r = stats.wilcoxon(a, b, zero_method="pratt", correction=False, method=method)
    # For two sides SciPy gives the smaller rank sum; ours is that of a > b.
    w = stats.wilcoxon(a, b, zero_method="pratt", correction=False, method="asymptotic", alternative="greater").statistic
    return {"w": float(w), "p": float(r.pvalue)}


def signed_ranks(rng):
    out = []
    for n in [2, 3, 5, 5, 8, 10, 12, 13]:
        while True:
            a, b = (np.round((rng.integers(20, 41, n)) / 40, 6).tolist() for _ in range(2))
            if any(x != y for x, y in zip(a, b)):
                break
        # SciPy compares what floating point makes of the differences; whole numbers tie.
        whole = [round(40 * x) for x in a], [round(40 * x) for x in b]
        out.append({**wilcoxon(*whole, stats.PermutationMethod(n_resamples=math.inf)), "a": a, "b": b})
    n = 300
    a, b = rng.integers(20, 41, n), rng.integers(20, 40, n)
    out.append({**wilcoxon(a.tolist(), b.tolist(), "asymptotic"), "a": (a / 40).tolist(), "b": (b / 40).tolist()})
    return out


def curves(rng):
    out = []
    for n, classes in [(7, 2), (60, 2), (200, 4)]:
        labels = rng.integers(0, classes, n)
        probabilities = rng.dirichlet(np.ones(classes), n)
        probabilities[np.arange(n), labels] += 0.3
        probabilities = np.round(probabilities / probabilities.sum(axis=1, keepdims=True), 2)  # ties
        predicted = probabilities.argmax(axis=1)
        case = {"labels": labels.tolist(), "predicted": predicted.tolist(), "probabilities": probabilities.tolist(), "classes": []}
        precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, predicted, labels=range(classes), zero_division=np.nan)
        for c in range(classes):
            case["classes"].append({
                "average_precision": float(metrics.average_precision_score(labels == c, probabilities[:, c])),
                "roc_auc": float(metrics.roc_auc_score(labels == c, probabilities[:, c])),
                "precision": float(precision[c]), "recall": float(recall[c]), "f1": float(f1[c]), "support": int(support[c]),
            })
        out.append(case)
    return out


def spearman(rng):
    out = []
    for n in [3, 8, 40]:
        x, y = rng.integers(0, 10, n), rng.integers(0, 10, n)
        r = stats.spearmanr(x, y)
        out.append({"x": x.tolist(), "y": y.tolist(), "rho": float(r.statistic), "p": float(r.pvalue)})
    return out


def main():
    rng = np.random.default_rng(1)
    print(json.dumps({
        "scipy": scipy.__version__, "scikit-learn": sklearn.__version__,
        "wilcoxon": signed_ranks(rng), "curves": curves(rng), "spearman": spearman(rng),
    }))


main()
