"""The terms of the field that lessons name, each defined in one sentence."""

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "accuracy": "The share of images that are told right.",
    "array": "Numbers in rows and columns, or in more directions than two, each found by its place.",
    "augmentation": "Changing training images at random, as by shifts and turns, so that more is learned from few.",
    "balanced accuracy": "The mean over classes of the share of each class that is found, so that a rare class counts "
    "as much as a common one.",
    "bias": "How far the mean answer of a model, trained again and again on other images, is from the truth.",
    "bootstrap": "Drawing as many images as there are from the same images, each of which may come several times, "
    "to learn how much chance decides.",
    "calibration": "Whether probabilities mean what they say: of answers called 80 % sure, 80 % are right.",
    "calibration error": "How far, on average, the probability of answers is from the share of them that is right.",
    "channel": "One of the numbers that each pixel has: one for grey, three for red, green and blue.",
    "confidence interval": "A range around a measured value, made so that it holds the true one in 95 of 100 such "
    "measurements, where 95 % is said.",
    "confusion matrix": "A table with a row for each class and a column for each answer, that counts how often the "
    "one is given for the other.",
    "convolution": "A layer that looks for the same small pattern at every place of an image.",
    "cost matrix": "A table of what it costs to take an image of each class for each class.",
    "coverage": "The share of images that is answered, where a classifier may refuse to answer.",
    "cross-validation": "Judging a way of training by folds: each part of the images is judged by a model that "
    "learned the other parts.",
    "decision tree": "A model that asks one yes-or-no question about one number after another, until it answers.",
    "dense layer": "A layer in which each output is a weighted sum of all inputs.",
    "dropout": "Leaving out some of a layer's outputs at random while training, so that none is relied upon alone.",
    "early stopping": "Ending a training, and going back to its best epoch, when validation gets no better.",
    "epoch": "One pass over all training images.",
    "feature": "One of the numbers that a network makes of an image, from which its last layer tells the class.",
    "feature map": "What one filter answers at every place of an image: an array of its own.",
    "filter": "A small square of weights that a convolution lays over every place of an image.",
    "fold": "One of several equal parts of the images, which is judged while the others are learned.",
    "frozen base": "A network without its last layer whose weights are left as they are while something learns from "
    "its features.",
    "generalisation": "How well a model does on images that it has not learned from.",
    "head": "The last layer or layers of a network, which make answers of the features below.",
    "Hyperband": "A search that begins many trials, and again and again lets only the best of them train on.",
    "hyperparameter": "A setting that is chosen before training and not learned by it, such as the learning rate.",
    "importance": "How much a number that a model is given, such as a pixel, helps it to tell the classes apart.",
    "k nearest neighbours": "A model that keeps all training images and lets the k that are least far from a new "
    "one vote.",
    "label": "The class that an image is said to belong to.",
    "learning rate": "How large a step training takes down the slope of the loss.",
    "log-loss": "The mean of minus the logarithm of the probability that was given to the true class, in nats: 0 is "
    "perfect, and being sure of a wrong class is dear.",
    "logistic regression": "A model that makes a weighted sum of all inputs for each class and turns the sums into "
    "probabilities.",
    "logit": "A score, any number, that a model gives a class before softmax or sigmoid makes a probability of it.",
    "loss": "The number that training makes smaller: how wrong the model is, and how sure of it.",
    "macro F1": "The mean over classes of F1, which joins precision and recall into one number and is low where "
    "either is.",
    "Matthews correlation": "A number from -1 to 1 that says how well answers and truth go together: 0 is guessing.",
    "multiply-add": "One multiplication and one addition: what a network's arithmetic is counted in.",
    "noise": "What differs by chance and cannot be learned, such as labels that are wrong at random.",
    "optimizer": "The rule by which training changes parameters, with what it keeps in mind for that.",
    "out-of-bag score": "The accuracy of a forest on its training images, each answered only by the trees that did "
    "not draw it.",
    "over-fitting": "Learning what is true of the training images only, so that others are told worse.",
    "parameter": "A number in a model that training sets, such as a weight.",
    "patience": "How many epochs without improvement a training is let go on for.",
    "pixel": "One place of an image, with a number for each channel.",
    "pooling": "Putting one number in the place of each small window of a map: its greatest or its mean.",
    "PR-AUC": "The mean precision over all shares of a class that may be asked to be found: a guess gets the share of "
    "the class.",
    "precision": "Of the images that are said to be of a class, the share that are.",
    "random forest": "Many decision trees, each grown on other draws of the images and of their numbers, that "
    "answer by their mean.",
    "random search": "A search that draws hyperparameters by lot and trains each trial to its end.",
    "range test": "A short training in which the learning rate grows from step to step, to see where the loss falls.",
    "recall": "Of the images of a class, the share that are found.",
    "ROC-AUC": "How often an image of a class gets a higher score than one that is not of it: 0.5 is guessing, 1 "
    "perfect.",
    "saliency map": "An image of how much each place of another image is said to speak for an answer.",
    "shape": "How many numbers an array has in each direction: height, width and channels for an image.",
    "shortcut": "Something in the training images that gives the class away and is not what was to be learned.",
    "sigmoid": "The function 1 / (1 + exp(-z)), which makes a single logit z the probability of the second of two "
    "classes.",
    "softmax": "The function that makes logits probabilities: the exponential of each, as a share of the sum of all.",
    "standard deviation": "How far values typically are from their mean.",
    "standardising": "Subtracting from each kind of number its mean and dividing by its standard deviation, both of "
    "the training images.",
    "strangeness": "How far what is seen of an image lies from all that was seen of the training images.",
    "temperature": "A number that all logits are divided by: above 1 a model sounds less sure, below 1 more.",
    "test set": "Images that had no part in training or in any choice, and are judged once, at the end.",
    "threshold": "The probability from which on a class is named.",
    "training set": "The images that a model learns from.",
    "transfer learning": "Beginning with a network that has learned other classes, rather than with random weights.",
    "validation set": "Images that a model does not learn from, by which one chooses between models.",
    "variance": "How far the answers of a model, trained again and again on other images, are from their mean.",
}
