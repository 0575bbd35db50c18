"""The options of how labelled pictures are read, the same for every command that reads some."""

from typing import Annotated

from cyclopts import Group, Parameter

from tellapart.data.sources.read_options import Reading

ReadAs = Annotated[Reading, Parameter(name="*", group=Group("Reading labelled pictures", sort_key=1))]
AS_IT_IS = Reading()
