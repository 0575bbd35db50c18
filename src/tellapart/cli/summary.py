"""`tellapart summary`."""

from tellapart.backend import load_keras
from tellapart.cli.tables import aligned
from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, Model, lookup
from tellapart.models.resolved_recipe import resolve_network
from tellapart.recipe import Recipe


def summary(
    model: str | None = None, /, *, size: int | None = None, channels: int | None = None, classes: int = 10
) -> None:
    """Show a model's layers, shapes, parameters and multiply-adds, and measure its speed on this machine.

    Parameters
    ----------
    model
        A name from the catalogue; without one, the catalogue is listed.
    size
        Height and width of an image in pixels.
    channels
        1 for grey images, 3 for colour; small networks only.
    classes
        How many classes it tells apart.
    """
    if model is None:
        print(_catalogue())
        return
    if lookup(model).estimator:
        raise RecipeError(f"{model} has no layers to show: it is fitted on pixels or on the features of a base")
    recipe = resolve_network(Recipe(model=model, size=size), own_size=None)
    pretrained = MODELS[model].pretrained
    channels = (3 if pretrained else 1) if channels is None else channels
    if channels not in ((3,) if pretrained else (1, 3)):
        raise RecipeError(f"channels is {channels}; {model} takes {'3' if pretrained else '1 or 3'}")
    if classes < 2:
        raise RecipeError(f"classes is {classes}; expected 2 or more")
    load_keras()
    from tellapart.models.networks import scratch_network, whole
    from tellapart.models.summary import prediction_rate, summarise
    from tellapart.training.loop import training_seconds

    network = scratch_network(recipe, channels, classes)
    found = summarise(network)
    rows = [
        [one.name, one.kind, " x ".join(map(str, one.shape)), f"{one.parameters:,}", f"{one.multiply_adds:,}"]
        for one in found.layers
    ]
    print(aligned([["layer", "kind", "output", "parameters", "multiply-adds"], *rows]))
    rate, precision = prediction_rate(whole(None, network))
    print(
        f"\n{model} at {recipe.size} px: {found.parameters:,} parameters ({found.weight_bytes / 1e6:,.1f} MB), "
        f"{found.multiply_adds / 1e6:,.1f} million multiply-adds and {found.activation_bytes / 1e6:,.1f} MB of layer "
        f"outputs per image"
    )
    print(f"on this machine: {rate:,.0f} images a second ({precision})")
    if pretrained:
        print(f"training runs each image through the frozen base once: 1,000 images in {1000 / rate:,.1f} s")
    else:
        seconds = 1000 * training_seconds(network, recipe)
        print(f"training takes about {seconds:.2g} s an epoch for every 1,000 images")


def _catalogue() -> str:
    rows = [[name, f"{one.size} px", f"{one.smallest} px", _licence(one)] for name, one in MODELS.items()]
    return aligned([["model", "default size", "smallest", "licence of the ImageNet weights"], *rows])


def _licence(model: Model) -> str:
    if model.estimator:
        return "fitted on pixels or features"
    return model.licence or "trained from scratch"
