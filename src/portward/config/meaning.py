"""What each key of portward.toml is for: the docstring below its field, read from the source when somebody asks.

meanings_of(Settings)["domain"]         # 'Services live below it, …'
"""

import ast
import inspect
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from textwrap import dedent

from portward.config.section import Section


@cache
def meanings_of(section: type[Section]) -> Mapping[str, str]:
    """By key, those that it inherits as well."""
    found: dict[str, str] = {}
    for kind in reversed(section.__mro__):
        if issubclass(kind, Section):
            found |= _written_in(kind)
    return {section.model_fields[name].alias or name: meaning for name, meaning in found.items()}


def _written_in(kind: type[Section]) -> dict[str, str]:
    """By the name of the field."""
    statements = next(ast.iter_child_nodes(ast.parse(dedent(inspect.getsource(kind)))))
    found = {}
    for field, below in pairwise(ast.iter_child_nodes(statements)):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str() as text)):
                found[name] = inspect.cleandoc(text)
    return found
