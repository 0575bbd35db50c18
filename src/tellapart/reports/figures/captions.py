"""Captions: one sentence that explains each figure to readers who see its kind for the first time."""

from collections.abc import Mapping

CAPTIONS: Mapping[str, str] = {
    "confusion": "Each row is a true class and each column a predicted class: correct predictions are blue and on the "
    "diagonal, mistakes are red, and the more common a mistake the stronger its colour.",
    "per_class": "Precision is how often a prediction of this class is correct, recall is how many images of the "
    "class are found, and F1 combines the two; the line through a point is its 95 % interval, and the number in "
    "brackets is how many images of the class there are.",
    "roc": "Lowering the threshold for a class finds more of its images (recall, upwards) but also more images of "
    "other classes (false positive rate, to the right): the closer a line is to the upper left corner the better, and "
    "the dotted diagonal is guessing.",
    "precision_recall": "Further to the right more images of a class are found (recall), and the height is how many of "
    "the images predicted as the class belong to it (precision): the longer a line stays high the better.",
    "reliability": "Predictions are grouped by confidence: on the dotted diagonal, of the images with 80 % confidence "
    "80 % are correct, and below it the classifier is overconfident.",
    "coverage": "Read from right to left: a classifier that declines its least confident predictions answers fewer "
    "images (coverage), and more of its answers should be correct (accuracy).",
    "history": "Accuracy should rise and loss should fall from epoch to epoch: where the validation line stops "
    "following the training line the network begins to overfit, and the dashed line marks the epoch whose weights were "
    "kept.",
    "probabilities": "A longer bar is a more probable class; the bars of all classes add up to 100 %.",
    "comparison": "A point is the accuracy of a model, and the line through it is its 95 % interval; whether a "
    "difference is more than chance is for a paired test to decide.",
    "histories": "Each colour is a run: higher accuracy and lower loss are better, with solid lines for validation "
    "images and dotted lines for training images where a run has no validation images.",
    "lr_curve": "The loss while the learning rate grows from batch to batch: a good rate is where the smoothed line "
    "falls steeply, well below the rate at which it rises again.",
}
