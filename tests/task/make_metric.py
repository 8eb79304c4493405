"""Writes tests/data/metric/cases.json: metrics as scikit-learn computes them (and the calibration error as its definition
says, in numpy), for test_metric.c. Needs numpy and scikit-learn; the file names their versions."""
import json
import pathlib

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score


def calibration_error(truth, probabilities, bins=15):
    p, predicted = probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1)
    error = 0.0
    for b in range(bins):
        inside = (p > b / bins) & (p <= (b + 1) / bins)
        if inside.any():
            error += inside.mean() * abs((predicted[inside] == truth[inside]).mean() - p[inside].mean())
    return error


def case(name, truth, predicted, classes, probabilities=None):
    labels = list(range(classes))
    out = {
        "name": name,
        "classes": classes,
        "truth": [int(t) for t in truth],
        "predicted": [int(p) for p in predicted],
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, labels=labels, average="macro", zero_division=0)),
        "f1": [float(f) for f in f1_score(truth, predicted, labels=labels, average=None, zero_division=0)],
        "confusion": confusion_matrix(truth, predicted, labels=labels).tolist(),
    }
    if probabilities is not None:
        out["probabilities"] = [[float(p) for p in row] for row in probabilities]
        out["ece"] = calibration_error(np.asarray(truth), probabilities)
    return out


def softmax(x):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)).astype(np.float32)


def main():
    rng = np.random.default_rng(7)
    cases = [
        case("all right", [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5], 6),
        case("all wrong", [0, 1, 2], [1, 2, 0], 3),
        case("absent from truth and predictions", [0, 0, 1, 1], [0, 1, 1, 1], 6),
        case("predicted but never true", [0, 0, 1], [2, 0, 1], 4),
        case("one row", [3], [3], 6),
        case("two classes", [0, 1, 1, 0, 1], [0, 1, 0, 0, 1], 2),
        case("outside the classes", [0, 1, 2, 2], [0, -1, 2, -1], 3),
    ]
    for name, n, classes, sharpness in [("random", 60, 6, 1.0), ("sharp", 50, 6, 8.0), ("flat", 40, 8, 0.05)]:
        probabilities = softmax(sharpness * rng.normal(size=(n, classes)))
        predicted = probabilities.argmax(axis=1)
        truth = np.where(rng.random(n) < 0.6, predicted, rng.integers(0, classes, n))
        cases.append(case(name, truth, predicted, classes, probabilities))
    edges = np.array([[b / 15, 1 - b / 15] for b in range(16)], dtype=np.float32)
    predicted = edges.argmax(axis=1)
    cases.append(case("on the edges of bins", np.arange(16) % 2, predicted, 2, edges))
    document = {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "cases": cases}
    folder = pathlib.Path(__file__).resolve().parent.parent / "data" / "metric"
    (folder / "cases.json").write_text(json.dumps(document, indent=None, separators=(",", ":")) + "\n")


main()
