"""Lesson: a pre-trained network beats training from scratch where there are few images.

Source: Yosinski et al., How transferable are features in deep neural networks? (2014). As there, a network is first
trained on half of the classes, and its layers are transferred to the other half.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from tellapart.backend import load_keras
from tellapart.lessons.backbones import BACKBONE_LAYERS, HALF, halves, learn, loop_of, small_network
from tellapart.lessons.drawing import PERCENT, drawing, lines
from tellapart.lessons.images import Part
from tellapart.lessons.lesson import Claim, Findings, Lesson, Settings
from tellapart.training.fitting.examples import Examples

if TYPE_CHECKING:
    from tellapart.training.fitting.loop import Loop

State = list[NDArray[Any]]
"""The weights of a network, followed by the state of its optimizer."""
ROUNDS = 3
MIN_IMAGES, REPEATS = 3_000, 15  # of a training: at least so many images, or each so many times
METHODS = {
    "frozen": "transferred, frozen",
    "tuned": "transferred, fine-tuned",
    "scratch": "from scratch",
    "random": "random weights, frozen",
}


def run(settings: Settings) -> Findings:
    """Train on five classes, then on the other five by four methods, with few images and with many."""
    load_keras()
    half = halves(settings)
    # One network, whose state is restored before each training.
    loop = loop_of(small_network(half.known.images.shape[1], settings), settings)
    fresh, learned = loop.state(), settings.of(40_000, small=20_000)
    learn(loop, half.known, learned)
    transferred = with_backbone(loop, fresh)
    frozen = {"frozen": transferred, "random": fresh}
    vectors = {method: features(loop, start, half.new, half.test) for method, start in frozen.items()}

    counts = (3, 30, 100) if settings.small else (3, 10, 30, 100, 300)
    rng = np.random.default_rng(settings.seed)
    mean = {method: np.zeros(len(counts)) for method in METHODS}
    for column, count in enumerate(counts):
        rounds = ROUNDS if count < 30 else 1  # the fewer images, the more it matters which
        for sample in (few(half.new, count, rng) for _ in range(rounds)):
            for method, (x, test_x) in vectors.items():
                head = LogisticRegression(C=0.3, max_iter=2_000).fit(x[sample], half.new.labels[sample])
                mean[method][column] += head.score(test_x, half.test.labels) / rounds
            for method, start in (("tuned", transferred), ("scratch", fresh)):
                loop.restore(start)
                learn(loop, half.new.take(sample), max(MIN_IMAGES, REPEATS * len(sample)))
                accuracy = loop.score(Examples(half.test.images, half.test.labels)).accuracy
                mean[method][column] += accuracy / rounds

    lead = mean["frozen"] - mean["scratch"]
    results = {
        "data": half.name,
        "known": half.old,
        "new": half.others,
        "images": len(half.known),
        "side": half.known.images.shape[1],
        "test": len(half.test),
        "few": counts[0],
        "many": counts[-1],
        "crossing": crossing(counts, lead),
        "lead_few": float(lead[0]),
        "lead_many": float(lead[-1]),
        "tuned_gain": float(np.mean(mean["tuned"] - mean["scratch"])),
        **{f"{method}_few": float(mean[method][0]) for method in METHODS},
        **{f"{method}_many": float(mean[method][-1]) for method in METHODS},
    }
    figure = lines(
        f"the lines cross at {results['crossing']}", ("images per class", counts), "accuracy",
        {title: mean[method] for method, title in METHODS.items()},
        across={"type": "log", "tickvals": counts}, **PERCENT,
    )  # fmt: skip
    caption = (
        "Each line is one method to learn five new classes. With few images, on the left, transferred layers lead; "
        "with many, on the right, training from scratch catches up."
    )
    return Findings(results, (drawing("Accuracy by number of images", caption, figure),))


def few(part: Part, count: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Draw `count` images of each class at random, and return their indices."""
    order = rng.permutation(len(part))
    return np.concatenate([order[part.labels[order] == label][:count] for label in range(HALF)])


def with_backbone(loop: "Loop", fresh: State) -> State:
    """Return a fresh state with the trained weights of the layers that transfer."""
    layers = [variable.path.split("/")[0] for variable in loop.network.variables]
    weights = zip(layers, loop.state(), fresh, strict=False)  # the optimizer's state follows the weights
    merged = [trained if layer in BACKBONE_LAYERS else initial for layer, trained, initial in weights]
    return merged + fresh[len(layers) :]


def features(loop: "Loop", start: State, *parts: Part) -> list[NDArray[np.float32]]:
    """Compute the features of the transferred layers: float32 (n, width), with deviation 1 in the first part."""
    import keras

    loop.restore(start)
    backbone = keras.Model(loop.network.input, loop.network.get_layer(BACKBONE_LAYERS[-1]).output)
    vectors = [np.asarray(backbone(part.images)) for part in parts]
    return [vector / vectors[0].std() for vector in vectors]


def crossing(counts: tuple[int, ...], lead: NDArray[np.floating]) -> str:
    """Describe the number of images at which the lead ends."""
    ahead = np.flatnonzero(lead > 0)
    last = int(ahead[-1]) if len(ahead) else -1
    if last == len(counts) - 1:
        return f"more than {counts[-1]:,}"
    return f"fewer than {counts[0]}" if last < 0 else f"{counts[last]:,} to {counts[last + 1]:,}"


LESSON = Lesson(
    name="transfer-against-scratch",
    question="Pre-trained or from scratch?",
    needs="fashion-mnist",
    seconds=21,
    run=run,
    method="""
        Images of {data} are put at random positions of a black square of {side} pixels, so that a network has to learn
        that position does not matter. A small [convolutional network|convolution] is trained on five classes, with
        {images:,} such images: {known}. Then it should learn the five others, {new}, from few images of each or from
        many.

        We compare four methods. Two use [transfer|transfer learning]: all but the last two layers are transferred, and
        are either a [frozen backbone] below a [logistic regression], or are fine-tuned. From scratch: the same network
        starts with random weights. As a control, the logistic regression is trained on frozen layers with random
        weights. All are evaluated on {test:,} test images.""",
    outcome="""
        With {few} images per class the frozen backbone reaches an [accuracy] of {frozen_few:.1%}, a network from
        scratch {scratch_few:.1%}: a lead of {lead_few:+.1p}. With {many} they reach {frozen_many:.1%} and
        {scratch_many:.1%}: {lead_many:+.1p}. The two lines cross at {crossing} images per class. Frozen layers with
        random weights reach {random_few:.1%} and {random_many:.1%}.

        Transferred and fine-tuned, the network reaches {tuned_few:.1%} and {tuned_many:.1%}: on average over all
        numbers of images {tuned_gain:+.1p} against scratch.""",
    claims=(
        Claim("With few images, transferred features are ahead of training from scratch: {frozen_few:.1%} against "
              "{scratch_few:.1%}.",
              lambda results: results["lead_few"] > 0),
        Claim("It is training that helps: the same frozen network with random weights reaches {random_few:.1%}.",
              lambda results: results["frozen_few"] > results["random_few"]),
        Claim("With many images the lead is less than half of what it was: {lead_many:+.1p} instead of "
              "{lead_few:+.1p}.",
              lambda results: results["lead_many"] < 0.5 * results["lead_few"]),
        Claim("Fine-tuning is on average no worse than training from scratch: {tuned_gain:+.1p}.",
              lambda results: results["tuned_gain"] > 0),
    ),
    conclusion="""
        The features that a network has learned from some images are useful for others, the more so the fewer there
        are. A frozen backbone cannot overfit, but it cannot improve either: with enough images, fine-tuning or
        training from scratch overtakes it. Everyday photos are similar to those that the backbones of tellapart were
        trained on, and seldom come in thousands: `tellapart train PHOTOS --model xception` freezes such a backbone,
        `--unfreeze 20` fine-tunes its last layers, and `--weights none` trains from scratch.""",
    try_next="""
        Let `scattered` put each image into the middle of the square. How much is there still to transfer, and where do
        the lines cross?""",
)  # fmt: skip
