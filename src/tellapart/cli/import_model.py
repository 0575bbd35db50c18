"""`tellapart import`."""

import shlex
from pathlib import Path

from tellapart.cli.options import Json, SizeOption
from tellapart.cli.output import print_json
from tellapart.data.preprocessing import Fit, Resize
from tellapart.progress import notify
from tellapart.training.import_model import import_model as import_keras_model


def import_model(
    model: Path,
    /,
    *,
    classes: Path,
    preprocess: str,
    out: Path,
    size: SizeOption = None,
    fit: Fit | None = None,
    resize: Resize | None = None,
    scale_twice: bool = False,
    name: str | None = None,
    json: Json = False,
) -> None:
    """Make a bundle of a Keras model trained elsewhere, for predict, evaluate, export and serve.

    Only Keras's own layers are accepted: a file that could run code is refused before any of it is loaded.

        tellapart import model.keras --classes names.txt --preprocess xception --out bundles/mine

    Parameters
    ----------
    model
        A .keras file, or an .h5 file with the whole model, of Keras 2 or 3 (also Teachable Machine's keras_model.h5);
        or a SavedModel folder.
    classes
        A text file with one class name per line, in the order of the model's outputs; or lines such as `0 cat`.
    preprocess
        How pixels were scaled when the model was trained: the name of the network it was made from, such as xception;
        or unit (0 to 1), tf (-1 to 1), torch, caffe; or none for 0 to 255, as for models that scale their input.
    out
        Folder of the new bundle.
    size
        Image height and width in pixels, or height x width such as 64x256, for a model that accepts any.
    fit
        How an image of other proportions is made to fit: cut, squeezed, or padded; by default as the tool that trained
        the model does, which is stretch for Keras and crop for Teachable Machine.
    resize
        How pixels are computed: keras-bilinear as image_dataset_from_directory, the default for models of Keras;
        keras-nearest as load_img and ImageDataGenerator; pillow-bicubic with antialiasing.
    scale_twice
        Scale images although the model scales them itself, as when it was trained that way.
    name
        Name of the bundle; by default the file's name.
    """
    bundle = import_keras_model(
        model,
        classes=classes,
        preprocess=preprocess,
        out=out,
        size=size,
        fit=fit,
        resize=resize,
        scale_twice=scale_twice,
        name=name,
    )
    if json:
        print_json({"bundle": bundle.folder, "name": bundle.name, "classes": bundle.classes})
    else:
        print(f"bundle: {bundle.folder}")
    notify("its accuracy is not known yet, nor whether the class names are in the model's order. Measure it:")
    folder = shlex.quote(str(bundle.folder))
    notify(f"try: tellapart evaluate {folder} PHOTOS   or   tellapart predict {folder} IMAGE")
