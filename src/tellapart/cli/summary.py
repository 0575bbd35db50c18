"""`tellapart summary`."""

from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter

from tellapart.backend import load_keras
from tellapart.cli.options import OUTPUT, Json, SizeOption
from tellapart.cli.output import aligned, print_json
from tellapart.data.image_size import size_text
from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, Model, lookup
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import Recipe
from tellapart.recipe_schema import recipe_schema as schema_of_recipes


def summary(
    model: str | None = None,
    /,
    *,
    size: SizeOption = None,
    channels: int | None = None,
    classes: int = 10,
    json: Json = False,
    recipe_schema: Annotated[bool, Parameter(group=OUTPUT)] = False,
) -> None:
    """List the models, or show a model's layers, parameters and multiply-adds, and its speed on this machine.

        tellapart summary
        tellapart summary mobilenet --size 160

    Parameters
    ----------
    model
        A model's name; without one, all are listed.
    size
        Image height and width in pixels, or height x width such as 64x256; by default the model's own.
    channels
        1 for grey images, 3 for colour; for models without pre-trained weights.
    classes
        Number of classes.
    recipe_schema
        Print the JSON Schema of recipe.toml instead: every field with its type, range, default and meaning.
    """
    if recipe_schema:
        print_json(schema_of_recipes(), indent=2)
        return
    if model is None:
        if json:
            print_json({"models": [_facts(name, entry) for name, entry in MODELS.items()]})
        else:
            print(_catalogue())
        return
    if lookup(model).estimator:
        raise RecipeError(f"{model} has no layers to show: it is fitted on pixels or on a backbone's features")
    recipe = resolve_network(Recipe(model=model, size=size), own_size=None)
    pretrained = MODELS[model].pretrained
    channels = (3 if pretrained else 1) if channels is None else channels
    if channels not in ((3,) if pretrained else (1, 3)):
        raise RecipeError(f"channels is {channels}; {model} takes {'3' if pretrained else '1 or 3'}")
    if classes < 2:
        raise RecipeError(f"classes is {classes}; expected 2 or more")
    measured = _measure(recipe, channels, classes)
    if json:
        print_json(measured)
    else:
        _print(measured, pretrained=bool(pretrained))


def _measure(recipe: NetworkRecipe, channels: int, classes: int) -> dict[str, Any]:
    """Build the network, count its layers and time it: the object of `--json`."""
    load_keras()
    from tellapart.models.networks import join_classifier, scratch_network
    from tellapart.models.summary import prediction_rate, summarise
    from tellapart.training.fitting.loop import training_seconds

    network = scratch_network(recipe, channels, classes)
    counted = asdict(summarise(network))
    rate, precision = prediction_rate(join_classifier(None, network))
    pretrained = MODELS[recipe.model].pretrained  # runs once through the frozen backbone, whatever the epochs
    return {
        "model": recipe.model,
        "size": recipe.size,
        "channels": channels,
        "classes": classes,
        **counted,
        "images_per_second": rate,
        "precision": precision,
        "epoch_seconds_per_1000_images": None if pretrained else 1000 * training_seconds(network, recipe),
    }


def _print(measured: dict[str, Any], *, pretrained: bool) -> None:
    rows = [
        [
            layer["name"],
            layer["kind"],
            " x ".join(map(str, layer["shape"])),
            f"{layer['parameters']:,}",
            f"{layer['multiply_adds']:,}",
        ]
        for layer in measured["layers"]
    ]
    print(aligned([["layer", "kind", "output", "parameters", "multiply-adds"], *rows]))
    print(
        f"\n{measured['model']} at {size_text(measured['size'])} px: {measured['parameters']:,} parameters "
        f"({measured['weight_bytes'] / 1e6:,.1f} MB), {measured['multiply_adds'] / 1e6:,.1f} million multiply-adds and "
        f"{measured['activation_bytes'] / 1e6:,.1f} MB of layer outputs per image"
    )
    rate = measured["images_per_second"]
    print(f"on this machine: {rate:,.0f} images a second ({measured['precision']})")
    if pretrained:
        print(f"training runs each image through the frozen backbone once: 1,000 images in {1000 / rate:,.1f} s")
    else:
        seconds = measured["epoch_seconds_per_1000_images"]
        print(f"training takes about {seconds:.2g} s an epoch for every 1,000 images")


def _catalogue() -> str:
    rows = [[name, f"{model.size} px", f"{model.smallest} px", _licence(model)] for name, model in MODELS.items()]
    return aligned([["model", "default size", "smallest", "licence of the ImageNet weights"], *rows])


def _facts(name: str, model: Model) -> dict[str, object]:
    return {
        "name": name,
        "size": model.size,
        "smallest": model.smallest,
        "pretrained": bool(model.pretrained),
        "estimator": bool(model.estimator),
        "licence": model.licence or None,
    }


def _licence(model: Model) -> str:
    if model.estimator:
        return "fitted on pixels or features"
    return model.licence or "trained from scratch"
