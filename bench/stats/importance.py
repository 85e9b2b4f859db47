#!/usr/bin/env python3
"""What Optuna's fANOVA says, for the tests of artifacts/report/stats.

    pip install optuna==5.0.0 scikit-learn==1.9.1
    python3 bench/stats/importance.py > artifacts/report/stats/testdata/importance.json

Each case has its samples, rounded, so that both see the same ones; the inputs of
kind "category" are levels without an order, which Optuna one-hot encodes. The
importances are not normalized: fractions of each tree's whole variance, averaged
over three seeds of Optuna's forest.
"""
import json
import math
import warnings

import numpy as np
import optuna
import sklearn
from optuna.distributions import CategoricalDistribution, FloatDistribution

warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def ishigami(x):
    a, b, c = (math.pi * (2 * v - 1) for v in x)
    return math.sin(a) + 7 * math.sin(b) ** 2 + 0.1 * c**4 * math.sin(a)


def mixed(x):
    """A training: a rate that has an optimum, two categories, one without effect."""
    return -(4 * (x[0] - 0.4) ** 2) + [0.0, 0.3, 0.35, 0.1][int(x[1])] + (0.4 * x[2] if x[3] == 1 else 0.0)


def case(rng, name, kinds, f, n):
    levels = {"number": None, "pair": 2, "category": 4}
    x = [[round(float(rng.random()), 4) if levels[k] is None else int(rng.integers(levels[k])) for k in kinds] for _ in range(n)]
    y = [round(f(row) + 0.05 * float(rng.standard_normal()), 5) for row in x]
    of = {f"x{i}": FloatDistribution(0, 1) if levels[k] is None else CategoricalDistribution(range(levels[k])) for i, k in enumerate(kinds)}
    study = optuna.create_study()
    study.add_trials([optuna.create_trial(params={f"x{i}": v for i, v in enumerate(row)}, distributions=of, value=v) for row, v in zip(x, y)])
    seeds = []
    for seed in range(3):
        e = optuna.importance.FanovaImportanceEvaluator(seed=seed)
        got = optuna.importance.get_param_importances(study, evaluator=e, normalize=False)
        seeds.append([float(got[f"x{i}"]) for i in range(len(kinds))])
    return {"name": name, "kinds": kinds, "x": x, "y": y, "importance": np.mean(seeds, axis=0).tolist()}


def main():
    rng = np.random.default_rng(1)
    print(json.dumps({
        "optuna": optuna.__version__, "scikit-learn": sklearn.__version__,
        "cases": [case(rng, "ishigami", ["number"] * 3, ishigami, 150),
                  case(rng, "mixed", ["number", "category", "number", "pair"], mixed, 150)],
    }))


main()
