"""How to read each figure: one sentence, for somebody who sees such a figure for the first time."""

from collections.abc import Mapping

CAPTIONS: Mapping[str, str] = {
    "confusion": "Each row holds the images of one true class and each column what they were taken for: blue on the "
    "diagonal is right, and a red cell is a mistake, the stronger the more often it was made.",
    "per_class": "Precision says how often the answer is right when this class is the answer, recall how many of the "
    "class's images were found, F1 joins the two, and the bar through a point shows how far chance may have moved "
    "it; the number of images is in brackets.",
    "roc": "As the classifier gets readier to name a class, the line climbs by the images of the class that it finds "
    "and moves right by the others that it wrongly takes for it: the closer to the upper left corner the better, and "
    "the dotted line is guessing.",
    "precision_recall": "The further right, the more of a class's images are found, and the height says how many of "
    "the answers are then right: the longer a line stays high the better.",
    "reliability": "Answers are grouped by the probability that the classifier gave them, and a point on the dotted "
    "line means that, of answers called 80 % sure, 80 % were right; below the line it is too sure of itself.",
    "coverage": "Read from right to left: when the classifier may say that it does not know, it answers fewer images "
    "and more of its answers should be right.",
    "history": "Accuracy should rise and loss fall from epoch to epoch: where the validation line no longer follows "
    "the training line, the network has begun to learn its images by heart, and the dashed line marks the epoch "
    "that was kept.",
    "probabilities": "A longer bar is a more probable class; the bars of all classes together make 100 %.",
    "comparison": "A point is the share of images that a model got right, and the bar through it shows how far "
    "chance may have moved it; whether a difference is more than luck is for a paired test to say.",
    "histories": "Each colour is a run: a line that is higher above and lower below is the better one, solid on "
    "validation images and dotted on training images where a run has no others.",
    "lr_curve": "The loss while the learning rate grows from batch to batch: a good rate is where the smoothed line "
    "falls steeply, well below the rate at which it rises again.",
}
