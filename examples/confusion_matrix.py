"""Read the confusion matrix, the true labels and the probabilities of an evaluation as NumPy arrays.

    python examples/confusion_matrix.py runs/digits/bundle digits

Prints the accuracy and the most frequent mistake.
"""

import sys

import numpy as np

from tellapart import Dataset, evaluate


def main(bundle: str, source: str) -> None:
    """Evaluate a bundle on the test split of `source`, and print its most frequent mistake."""
    evaluation = evaluate(bundle, Dataset.open(source))
    confusion = evaluation.confusion  # int64 (classes, classes): rows are true classes, columns predicted classes
    predicted = evaluation.probs.argmax(axis=1)  # from float64 (n, classes)
    print(f"{(predicted == evaluation.labels).sum()} of {evaluation.n} images are predicted correctly")

    mistakes = confusion - np.diag(np.diag(confusion))
    true, wrong = np.unravel_index(mistakes.argmax(), mistakes.shape)
    names = evaluation.classes
    print(f"most frequent mistake: {names[true]} predicted as {names[wrong]}, {mistakes[true, wrong]} times")


if __name__ == "__main__":
    main(*sys.argv[1:])
