"""Labelled images of a split, one at a time: `dataset.test[7388]`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from tellapart.data.decoding.conversion import USUAL, Conversion, ImageArray
from tellapart.data.images import FileImages, Images


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """An image of a data set: the name of its class, and its pixels when they are read."""

    name: str
    """The path of its file; of an image in an array the text that commands take, such as `mnist:test[7388]`.

    In splits that were drawn here, or read with options, it is `image` and the start of its hash.
    """
    label: str
    index: int
    """Its number in the split, from 0."""
    images: Images

    def read(self, conversion: Conversion = USUAL) -> ImageArray:
        """Read it as it is stored: uint8 (h, w, 1 or 3). Raises ImageError."""
        return self.images.read(self.index, conversion)

    @property
    def array(self) -> ImageArray:
        """Its pixels as they are stored: uint8 (h, w, 1 or 3). Raises ImageError."""
        return self.read()

    def __repr__(self) -> str:
        return f"<LabelledImage {self.name}: {self.label}>"


@dataclass(frozen=True, eq=False, repr=False)
class LabelledImages(Sequence[LabelledImage]):
    """The images of a split by their number from 0. `reference` names the split, such as `mnist:test`."""

    reference: str
    reproducible: bool
    """Whether opening the source again gives the same images under the same numbers."""
    images: Images
    labels: NDArray[np.int32]
    """int32 (n,): the index of each image's class."""
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> LabelledImage: ...

    @overload
    def __getitem__(self, index: slice) -> list[LabelledImage]: ...

    def __getitem__(self, index: int | slice) -> LabelledImage | list[LabelledImage]:
        """Return one image, or those of a slice; -1 is the last. Raises IndexError that names the range."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index + len(self) if index < 0 else index
        if not 0 <= number < len(self):
            raise IndexError(f"there is no image {index} in {self.reference}: it has 0 to {len(self) - 1}")
        return LabelledImage(self.name(number), self.classes[self.labels[number]], int(number), self.images)

    def name(self, number: int) -> str:
        """Return the path of an image's file; of an image in an array the text that commands take, if there is one."""
        if isinstance(self.images, FileImages) or not self.reproducible:
            return self.images.name(number)
        return f"{self.reference}[{number}]"

    def __repr__(self) -> str:
        return f"<LabelledImages {self.reference}: {len(self):,} images>"
