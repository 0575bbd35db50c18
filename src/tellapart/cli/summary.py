"""`tellapart summary`."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from tellapart.backend import load_keras
from tellapart.bundles.bundle import Bundle
from tellapart.bundles.keras_network import load_network
from tellapart.bundles.manifest import MANIFEST
from tellapart.cli.options import OUTPUT, Json, SizeOption
from tellapart.cli.output import aligned, print_json
from tellapart.data.image_size import size_text
from tellapart.errors import RecipeError
from tellapart.models.catalogue import MODELS, Model, lookup
from tellapart.models.resolved_recipe import NetworkRecipe, resolve_network
from tellapart.recipe import DEFAULTS, Optimizer, Recipe
from tellapart.recipe_schema import recipe_schema as schema_of_recipes
from tellapart.training.run import Run


def summary(
    model: str | None = None,
    /,
    *,
    size: SizeOption = None,
    channels: int | None = None,
    classes: int = 10,
    units: int = DEFAULTS["units"],
    inner: int | None = None,
    optimizer: Optimizer | None = None,
    json: Json = False,
    recipe_schema: Annotated[bool, Parameter(group=OUTPUT)] = False,
) -> None:
    """List the models, or show the layers, parameters and multiply-adds of a model or a run, and its speed here.

        tellapart summary
        tellapart summary mlp --units 448
        tellapart summary runs/digits

    Parameters
    ----------
    model
        A model's name, or the folder of a run or bundle; without one, all models are listed.
    size
        Image height and width in pixels, or height x width such as 64x256; by default the model's own.
    channels
        1 for grey images, 3 for colour; for models without pre-trained weights.
    classes
        Number of classes.
    units
        Units of the hidden layer of mlp.
    inner
        Units of a Dense layer between the features and the logits.
    optimizer
        The optimizer whose numbers are counted; by default the model's own.
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
    if is_folder(model):
        measured = _measure_folder(Path(model))
        print_json(measured) if json else _print(measured, pretrained=False)
        return
    if lookup(model).estimator:
        raise RecipeError(f"{model} has no layers to show: it is fitted on pixels or on a backbone's features")
    recipe = resolve_network(
        Recipe(model=model, size=size, units=units, inner=inner, optimizer=optimizer), own_size=None
    )
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


def is_folder(model: str) -> bool:
    """Return True for what is no name of the catalogue, but a folder or written like one."""
    return model not in MODELS and (Path(model).is_dir() or os.sep in model)


def _measure_folder(folder: Path) -> dict[str, Any]:
    """Count the layers of a run's or a bundle's network and time it. Raises RunError, BundleError."""
    bundle = Bundle.open(folder) if (folder / MANIFEST).is_file() else Run.open(folder).bundle
    recipe = bundle.manifest.recipe
    height, width = bundle.preprocessing.height, bundle.preprocessing.width
    network = load_network(bundle)
    from tellapart.models.summary import optimizer_numbers, prediction_rate, summarise

    rate, precision = prediction_rate(network)
    optimizer = recipe.get("optimizer")
    trained = _trained(recipe)
    return {
        "model": str(recipe.get("model", bundle.name)),
        "size": height if height == width else f"{height}x{width}",
        "channels": bundle.preprocessing.channels,
        "classes": len(bundle.classes),
        **asdict(summarise(network)),
        "images_per_second": rate,
        "precision": precision,
        "epoch_seconds_per_1000_images": None,
        "optimizer": optimizer if trained else None,
        "optimizer_numbers": optimizer_numbers(network, str(optimizer)) if optimizer and trained else None,
    }


def _trained(recipe: Mapping[str, Any]) -> bool:
    """Return True if all of a network was trained, so that what its optimizer kept is known."""
    known = MODELS.get(str(recipe.get("model")))
    return known is not None and (not known.pretrained or recipe.get("weights") == "none")


def _measure(recipe: NetworkRecipe, channels: int, classes: int) -> dict[str, Any]:
    """Build the network, count its layers and time it: the object of `--json`."""
    load_keras()
    from tellapart.models.networks import join_classifier, scratch_network
    from tellapart.models.summary import optimizer_numbers, prediction_rate, summarise
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
        "optimizer": None if pretrained else recipe.optimizer,
        "optimizer_numbers": None if pretrained else optimizer_numbers(network, recipe.optimizer),
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
    if numbers := measured["optimizer_numbers"]:
        total = measured["parameters"] + numbers
        print(f"while training {measured['optimizer']} keeps {numbers:,} numbers beside them: {total:,} in all")
    rate = measured["images_per_second"]
    print(f"on this machine: {rate:,.0f} images a second ({measured['precision']})")
    if pretrained:
        print(f"training runs each image through the frozen backbone once: 1,000 images in {1000 / rate:,.1f} s")
    elif seconds := measured["epoch_seconds_per_1000_images"]:
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
