"""Train a classifier, evaluate it on the test split, and predict one image.

    python examples/train_and_evaluate.py digits runs/digits

Prints the accuracy with its interval and the prediction.
"""

import sys
from pathlib import Path

from PIL import Image

from tellapart import Dataset, Predictor, Recipe, evaluate, train


def main(source: str, out: Path) -> None:
    """Train on `source` into the new folder `out`, and print what came of it."""
    dataset = Dataset.open(source)
    run = train(dataset, Recipe(model="mlp"), out=out)

    evaluation = evaluate(run.bundle, dataset)
    accuracy = evaluation.accuracy
    print(f"accuracy {accuracy.value:.1%}, 95 % interval {accuracy.low:.1%} to {accuracy.high:.1%}")

    photo = out / "photo.png"
    Image.fromarray(next(iter(dataset.splits.values())).images.read(0).squeeze()).save(photo)
    (prediction,) = Predictor(run.bundle).predict([photo])
    print(prediction)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
