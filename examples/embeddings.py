"""Compute the features of a pre-trained backbone as a NumPy array, and find the nearest neighbours of an image.

    python examples/embeddings.py PHOTOS xception

Prints the three nearest neighbours of the first image.
"""

import sys

import numpy as np

from tellapart import Dataset
from tellapart.checking.dataset_features import dataset_features


def main(source: str, backbone: str) -> None:
    """Embed all images of `source`, cached for the next time, and print the neighbours of the first one."""
    features = dataset_features(Dataset.open(source), backbone)
    embeddings = features.rows[:]  # float32 (n, width)
    images, labels = features.split.images, features.split.labels
    print(f"{len(embeddings):,} images, {embeddings.shape[1]:,} features each")

    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    for index in np.argsort(-(unit @ unit[0]))[1:4]:
        print(f"near {images.name(0)}: {images.name(int(index))} (class {labels[index]})")


if __name__ == "__main__":
    main(*sys.argv[1:])
