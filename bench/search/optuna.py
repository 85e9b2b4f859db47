#!/usr/bin/env python3
"""What Optuna's samplers reach on the test functions of scheduler/search.

    pip install optuna==5.0.0 cmaes==0.13.1 scipy==1.17.1
    python3 bench/search/optuna.py > scheduler/search/testdata/optuna.json

The functions, their domains and their budgets are those of
scheduler/search/functions_test.go; the fixture has, for each function and
sampler, the best value of every seed, so that the test can tell how certain
Optuna's median is.
"""
import json
import math
import os
import sys
import warnings

# Not this file, which has the package's name.
here = os.path.dirname(os.path.abspath(__file__))
sys.path = [p for p in sys.path if os.path.abspath(p or ".") != here]

import cmaes  # noqa: E402
import optuna  # noqa: E402
import scipy  # noqa: E402

SEEDS = 40
warnings.simplefilter("ignore")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def cube(n, low, high, f):
    return lambda t: f([t.suggest_float(f"x{i}", low, high) for i in range(n)])


def branin(t):
    x, y = t.suggest_float("x", -5, 10), t.suggest_float("y", 0, 15)
    return ((y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6) ** 2
            + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10)


ALPHA = [1.0, 1.2, 3.0, 3.2]
A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14],
     [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
P = [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
     [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]


def hartmann6(x):
    return -sum(ALPHA[i] * math.exp(-sum(A[i][j] * (x[j] - P[i][j] * 1e-4) ** 2 for j in range(6))) for i in range(4))


def rosenbrock(x):
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in zip(x, x[1:]))


# The optima of Rastrigin and Sphere are moved off the middle, where CMA-ES
# begins.
def rastrigin(x):
    z = [v - 1.5 * math.sin(i + 1) for i, v in enumerate(x)]
    return 10 * len(z) + sum(v * v - 10 * math.cos(2 * math.pi * v) for v in z)


def sphere(x):
    return sum((v - 2 * math.sin(i + 1)) ** 2 for i, v in enumerate(x))


def mixed(t):
    c = t.suggest_categorical("c", [0, 1, 2, 3])
    n = t.suggest_int("n", 1, 20)
    e = math.log10(t.suggest_float("rate", 1e-5, 1, log=True))
    return (e + 3 - 0.3 * c) ** 2 + (n - 12) ** 2 / 40 + [1, 0.3, 0, 0.6][c]


# Which parameters there are depends on the category, and one of them on an integer.
def conditional(t):
    c = t.suggest_categorical("c", [0, 1, 2])
    shared = (t.suggest_float("x", -5, 5) - 1) ** 2 / 4
    if c == 0:
        return shared + 1 + (t.suggest_float("a", -5, 5) - 2) ** 2 + (t.suggest_float("b", -5, 5) + 1) ** 2
    if c == 1:
        return shared + 0.5 + (t.suggest_float("d", -5, 5) + 3) ** 2
    n = t.suggest_int("n", 1, 20)
    if n <= 10:
        return shared + 0.4 + (n - 7) ** 2 / 20
    return shared + (n - 14) ** 2 / 20 + (t.suggest_float("e", -5, 5) - 2) ** 2


FUNCTIONS = {
    "branin": (branin, 100),
    "hartmann6": (cube(6, 0, 1, hartmann6), 150),
    "rosenbrock5": (cube(5, -5, 10, rosenbrock), 150),
    "rastrigin5": (cube(5, -5.12, 5.12, rastrigin), 150),
    "sphere10": (cube(10, -5.12, 5.12, sphere), 200),
    "mixed": (mixed, 100),
    "conditional": (conditional, 100),
}
SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "sobol": lambda seed: optuna.samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=seed),
    "cma-es": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(multivariate=True, seed=seed),
    # The same but where parameters are conditional: it has a density for each group
    # of parameters that come together.
    "tpe-group": lambda seed: optuna.samplers.TPESampler(multivariate=True, group=True, seed=seed),
}


def best(function, budget, sampler):
    study = optuna.create_study(sampler=sampler)
    study.optimize(function, n_trials=budget)
    return study.best_value


def main():
    results = {}
    for name, (function, budget) in FUNCTIONS.items():
        results[name] = {"budget": budget, "best": {}}
        for sampler, make in SAMPLERS.items():
            if sampler == "tpe-group" and name != "conditional":
                continue
            results[name]["best"][sampler] = [best(function, budget, make(seed)) for seed in range(SEEDS)]
            print(name, sampler, sorted(results[name]["best"][sampler])[SEEDS // 2], file=sys.stderr)
    json.dump({
        "made_by": "bench/search/optuna.py",
        "versions": {"optuna": optuna.__version__, "cmaes": cmaes.__version__, "scipy": scipy.__version__},
        "functions": results,
    }, sys.stdout, indent=1)
    print()


main()
