"""The terms of the field that lessons use, each defined in one sentence."""

from collections.abc import Mapping

GLOSSARY: Mapping[str, str] = {
    "accuracy": "The share of images that are predicted correctly.",
    "array": "Numbers arranged in rows and columns, or in more than two dimensions, each addressed by its position.",
    "augmentation": "Random changes of training images, such as shifts and rotations, that let a model learn more from "
    "few of them.",
    "backbone": "A network without its last layers, which turns an image into features.",
    "balanced accuracy": "The mean recall over classes, in which a rare class matters as much as a common one.",
    "bias": "The difference between the true value and the mean prediction of a model trained repeatedly on different "
    "samples.",
    "bootstrap": "Resampling the same images with replacement, many times, to estimate how much a result depends on "
    "chance.",
    "calibration": "The agreement of probabilities with frequencies: of predictions made with 80 % confidence, 80 % "
    "are correct.",
    "calibration error": "The mean difference between the confidence of predictions and the share of them that is "
    "correct.",
    "channel": "One of the numbers of each pixel: one for grey, three for red, green and blue.",
    "confidence": "The probability that a model gives to the class it predicts.",
    "confidence interval": "A range computed from a sample so that, over many samples, it contains the true value as "
    "often as stated, such as 95 % of the time.",
    "confusion matrix": "A table with a row for each true class and a column for each predicted class, which counts "
    "the images of each combination.",
    "convolution": "A layer that applies the same small filter at every position of an image.",
    "cost matrix": "A table of what each combination of true class and predicted class costs.",
    "coverage": "The share of images that a classifier answers when it may refuse to answer.",
    "cross-validation": "Evaluation by folds: each part of the images is predicted by a model trained on the other "
    "parts.",
    "decision tree": "A model that asks a sequence of yes-or-no questions, each about one feature.",
    "dense layer": "A layer in which each output is a weighted sum of all inputs.",
    "dropout": "Setting some outputs of a layer to zero at random during training, so that no unit depends on another.",
    "early stopping": "Ending training when the validation loss stops improving, and keeping the best epoch.",
    "epoch": "One pass over all training images.",
    "feature": "One of the numbers that a network computes from an image and from which the head predicts the class.",
    "feature map": "The output of one filter at every position of an image, itself an array.",
    "filter": "A small square of weights that a convolution applies at every position of an image.",
    "fold": "One of several equal parts of the images, which is used for evaluation while the others are used for "
    "training.",
    "frozen backbone": "A backbone whose weights do not change while a head is trained on its features.",
    "generalization": "The performance of a model on images that it was not trained on.",
    "head": "The last layer or layers of a network, which turn features into predictions.",
    "Hyperband": "A search that starts many trials and repeatedly lets only the best of them continue training.",
    "hyperparameter": "A setting that is chosen before training and not learned by it, such as the learning rate.",
    "importance": "The contribution of an input, such as a pixel, to separating the classes.",
    "k nearest neighbours": "A model that stores all training images and predicts by a vote of the k closest ones.",
    "label": "The class that an image is annotated with.",
    "learning rate": "The size of the steps that training takes down the gradient of the loss.",
    "log-loss": "The mean negative logarithm of the probability given to the true class, in nats: 0 is perfect, and a "
    "confident mistake is expensive.",
    "logistic regression": "A model that computes a weighted sum of all inputs for each class and turns the sums into "
    "probabilities.",
    "logit": "The score, any real number, that a model gives a class before softmax or sigmoid turns it into a "
    "probability.",
    "loss": "The number that training minimizes: it measures how wrong, and how confidently wrong, the model is.",
    "macro F1": "The mean over classes of F1, the harmonic mean of precision and recall.",
    "Matthews correlation": "The correlation of predicted and true classes, from -1 to 1: 0 is guessing.",
    "multiply-add": "One multiplication and one addition: the unit in which a network's arithmetic is counted.",
    "noise": "Random variation that cannot be learned, such as labels that are wrong by chance.",
    "OOD score": "A measure of how far the features of an image are from those of the training images "
    "(OOD: out of distribution).",
    "optimizer": "The rule by which training updates the parameters, with the state it keeps for that.",
    "out-of-bag score": "The accuracy of a forest on its training images, each predicted only by the trees that were "
    "grown without it.",
    "overfitting": "Learning properties of the training images that do not generalize to others.",
    "parameter": "A number in a model that training sets, such as a weight.",
    "patience": "The number of epochs without improvement after which training stops.",
    "pixel": "One position of an image, with a number for each channel.",
    "pooling": "Replacing each small window of a feature map by one number, its maximum or its mean.",
    "PR-AUC": "The area under the precision-recall curve: a random guess scores the share of the positive class.",
    "precision": "The share of the images predicted as a class that belong to it.",
    "random forest": "Many decision trees, each grown on a random sample of images and features, that predict by their "
    "mean.",
    "random search": "A search that draws hyperparameters at random and trains each trial to its end.",
    "range test": "A short training in which the learning rate grows from step to step, to see where the loss falls.",
    "recall": "The share of the images of a class that are predicted as it.",
    "ROC-AUC": "The probability that an image of a class gets a higher score than one of another class: 0.5 is "
    "guessing, 1 is perfect.",
    "saliency map": "An image that shows how much each part of another image contributes to a prediction.",
    "shape": "The size of an array in each dimension: height, width and channels for an image.",
    "shortcut": "A feature of the training images that reveals the class but is not what should be learned.",
    "sigmoid": "The function 1 / (1 + exp(-z)), which turns a single logit z into the probability of the second of two "
    "classes.",
    "softmax": "The function that turns logits into probabilities: the exponential of each, divided by the sum of all.",
    "standard deviation": "The typical distance of values from their mean.",
    "standardizing": "Subtracting from each feature its mean and dividing by its standard deviation, both computed on "
    "the training images.",
    "temperature": "A number by which all logits are divided: above 1 it lowers confidence, below 1 it raises it.",
    "test set": "Images that take no part in training or in any choice, and are used for evaluation once, at the end.",
    "threshold": "The probability above which a class is predicted.",
    "training set": "The images that a model learns from.",
    "transfer learning": "Starting from a network that was trained on other classes instead of from random weights.",
    "validation set": "Images that a model does not learn from and that are used to choose between models.",
    "variance": "The spread of the predictions of a model trained repeatedly on different samples.",
}
