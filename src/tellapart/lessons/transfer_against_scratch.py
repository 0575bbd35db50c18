"""Is a network that has learned other classes worth more than a fresh one? It depends on how many images there are.

Made after Yosinski et al., How transferable are features in deep neural networks? (2014), at a small scale: half of
the classes are learned first, and what the convolutions have become is carried over to the other half.
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
"""A network's weights, and what its optimizer remembers."""
ROUNDS = 3
LEAST, TIMES = 3_000, 15  # images that a training goes over: so many, or each so many times
WAYS = {
    "frozen": "carried over, frozen",
    "tuned": "carried over, trained on",
    "scratch": "from scratch",
    "random": "nothing learned, frozen",
}


def run(settings: Settings) -> Findings:
    """Learn five classes, then the other five in four ways, from few images and from many."""
    load_keras()
    half = halves(settings)
    # One network, whose weights are put back to what they were before each training.
    loop = loop_of(small_network(half.known.images.shape[1], settings), settings)
    fresh, learned = loop.state(), settings.of(40_000, small=20_000)
    learn(loop, half.known, learned)
    carried = with_base(loop, fresh)
    seen = {way: features(loop, start, half.new, half.test) for way, start in (("frozen", carried), ("random", fresh))}

    counts = (3, 30, 100) if settings.small else (3, 10, 30, 100, 300)
    rng = np.random.default_rng(settings.seed)
    mean = {way: np.zeros(len(counts)) for way in WAYS}
    for place, count in enumerate(counts):
        rounds = ROUNDS if count < 30 else 1  # of few images, which they are matters more
        for some in (few(half.new, count, rng) for _ in range(rounds)):
            for way, (x, held) in seen.items():
                head = LogisticRegression(C=0.3, max_iter=2_000).fit(x[some], half.new.labels[some])
                mean[way][place] += head.score(held, half.test.labels) / rounds
            for way, start in (("tuned", carried), ("scratch", fresh)):
                loop.restore(start)
                learn(loop, half.new.take(some), max(LEAST, TIMES * len(some)))
                right = loop.score(Examples(half.test.images, half.test.labels)).accuracy
                mean[way][place] += right / rounds

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
        "meet": meeting(counts, lead),
        "lead_few": float(lead[0]),
        "lead_many": float(lead[-1]),
        "tuned_gain": float(np.mean(mean["tuned"] - mean["scratch"])),
        **{f"{way}_few": float(mean[way][0]) for way in WAYS},
        **{f"{way}_many": float(mean[way][-1]) for way in WAYS},
    }
    figure = lines(
        f"the lines meet at {results['meet']}", ("images of each class", counts), "accuracy",
        {title: mean[way] for way, title in WAYS.items()},
        across={"type": "log", "tickvals": counts}, **PERCENT,
    )  # fmt: skip
    caption = (
        "Each line is one way to learn five new classes. On the left there is little to learn from, and who has "
        "learned other classes before is ahead; on the right the images themselves say enough."
    )
    return Findings(results, (drawing("Accuracy against the number of images", caption, figure),))


def few(part: Part, count: int, rng: np.random.Generator) -> NDArray[np.integer]:
    """Which images: that many of each class, drawn by lot."""
    order = rng.permutation(len(part))
    return np.concatenate([order[part.labels[order] == label][:count] for label in range(HALF)])


def with_base(loop: "Loop", fresh: State) -> State:
    """A fresh state, but for the layers that are carried over: these are as they have become."""
    layers = [variable.path.split("/")[0] for variable in loop.network.variables]
    weights = zip(layers, loop.state(), fresh, strict=False)  # behind these is what the optimizer remembers
    return [now if layer in BACKBONE_LAYERS else old for layer, now, old in weights] + fresh[len(layers) :]


def features(loop: "Loop", start: State, *parts: Part) -> list[NDArray[np.float32]]:
    """What the layers that are carried over make of images: float32 (n, width), of deviation 1 in the first part."""
    import keras

    loop.restore(start)
    base = keras.Model(loop.network.input, loop.network.get_layer(BACKBONE_LAYERS[-1]).output)
    vectors = [np.asarray(base(part.images)) for part in parts]
    return [each / vectors[0].std() for each in vectors]


def meeting(counts: tuple[int, ...], lead: NDArray[np.floating]) -> str:
    """The number of images from which on the lead is gone, in words."""
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
        Images of {data} are put at random places of a black square of {side} pixels, so that a network has to learn
        that places do not matter. A small [convolutional network|convolution] learns five classes from {images:,}
        such images: {known}. Then the five others are to be learned, {new}, from few images of each or from many.

        We do so in four ways. [Transfer|transfer learning], twice: all but the last two layers are carried over, and
        either stay as they are, a [frozen base] below a [logistic regression], or are trained on. From scratch: the
        same network begins with random weights. And as a control the logistic regression stands on layers that have
        learned nothing. All are judged on {test:,} new images.""",
    outcome="""
        With {few} images of each class the frozen base reaches {frozen_few:.1%}, a network from scratch
        {scratch_few:.1%}: a lead of {lead_few:+.1%}. With {many} they reach {frozen_many:.1%} and {scratch_many:.1%}:
        {lead_many:+.1%}. The two lines meet at {meet} images of each class. Layers that have learned nothing reach
        {random_few:.1%} and {random_many:.1%} when they are frozen.

        Carried over and trained on, the network reaches {tuned_few:.1%} and {tuned_many:.1%}: on average over all
        numbers of images {tuned_gain:+.1%} against scratch.""",
    claims=(
        Claim("With few images, what was learned elsewhere is ahead of scratch: {frozen_few:.1%} against "
              "{scratch_few:.1%}.",
              lambda results: results["lead_few"] > 0),
        Claim("It is what was learned that helps: the same network, frozen before it learned anything, reaches "
              "{random_few:.1%}.",
              lambda results: results["frozen_few"] > results["random_few"]),
        Claim("With many the lead is gone, or less than half of what it was: {lead_few:+.1%} becomes {lead_many:+.1%}.",
              lambda results: results["lead_many"] < 0.5 * results["lead_few"]),
        Claim("Training on from there is on average no worse than scratch: {tuned_gain:+.1%}.",
              lambda results: results["tuned_gain"] > 0),
    ),
    conclusion="""
        What a network has learned about some images is of use for others, the more so the fewer there are. Frozen
        it cannot be spoilt by chance, and it cannot get better either: with enough images training on, or from
        scratch, overtakes it. Photos of daily things are much like those that the networks of tellapart were
        pre-trained on, and seldom come in thousands: `tellapart train PHOTOS --model xception` freezes such a network,
        `--unfreeze 20` trains its last layers on, and `--weights none` begins from scratch.""",
    try_next="""
        Leave the images where they are: let `scattered` put each into the middle. What is there still to carry over,
        and where do the lines meet?""",
)  # fmt: skip
