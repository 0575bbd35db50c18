"""`tellapart adopt`."""

from pathlib import Path

from tellapart.data.preprocessing import Fit
from tellapart.progress import notify
from tellapart.training.import_model import import_model as adopt_model


def import_model(
    model: Path,
    /,
    *,
    classes: Path,
    preprocess: str,
    out: Path,
    size: int | None = None,
    fit: Fit = "crop",
    name: str | None = None,
) -> None:
    """Make a bundle of a Keras model trained elsewhere, so that predict, evaluate and serve take it.

    Only Keras's own layers are taken; a file that could run code is refused before anything in it is loaded.

    Parameters
    ----------
    model
        A .keras file, or an .h5 file with the whole model.
    classes
        A text file with a class name on each line, in the order of the model's outputs.
    preprocess
        Which numbers the model was trained on: the name of the network it was made from, such as xception; or unit
        (0 to 1), tf (-1 to 1), torch, caffe; or none where it takes 0 to 255 as they are.
    out
        The bundle's folder.
    size
        Height and width in pixels, for a model that takes any.
    fit
        How an image of another shape is made to fit.
    name
        What the bundle is called; the file's name when left out.
    """
    bundle = adopt_model(model, classes=classes, preprocess=preprocess, out=out, size=size, fit=fit, name=name)
    print(f"bundle: {bundle.folder}")
    notify(
        "nothing is known yet of how good it is, nor whether the class names are in the model's order: judge it with"
    )
    notify(f"tellapart evaluate {bundle.folder} PHOTOS   or try   tellapart predict {bundle.folder} IMAGE")
