"""Writes scores.json: what scikit-learn makes of random answers, of whose classes some are absent.

    pip install scikit-learn==1.9.1 && python make.py > scores.json

f1 is f1_score(average="macro"): over the classes among labels and answers. auc is roc_auc_score of
the second class where there are two; of more the mean of roc_auc_score of each class against the
rest, over the classes where it is defined; null where it is defined for none.
"""
import json

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

random = np.random.default_rng(3)
cases = []
for classes, pictures, present in [(2, 9, 2), (2, 6, 1), (3, 12, 3), (3, 10, 2), (3, 5, 1), (5, 30, 3), (8, 12, 8), (41, 20, 41)]:
    labels = random.integers(0, present, pictures)
    p = np.round(random.dirichlet(np.ones(classes), pictures), 2)  # with ties
    predicted = p.argmax(1)
    auc = []
    for c in [1] if classes == 2 else range(classes):
        if 0 < (labels == c).sum() < pictures:
            auc.append(roc_auc_score(labels == c, p[:, c]))
    cases.append(dict(
        classes=classes, labels=labels.tolist(), probabilities=p.tolist(),
        accuracy=accuracy_score(labels, predicted), f1=f1_score(labels, predicted, average="macro"),
        auc=float(np.mean(auc)) if auc else None))
print("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]")
