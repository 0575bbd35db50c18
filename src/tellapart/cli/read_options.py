"""The options of how labelled images are read, the same for every command that reads some."""

from typing import Annotated

from cyclopts import Group, Parameter

from tellapart.data.sources.read_options import ReadOptions

ReadAs = Annotated[ReadOptions, Parameter(name="*", group=Group("Reading labelled images", sort_key=1))]
AS_IT_IS = ReadOptions()
