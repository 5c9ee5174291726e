"""The types of columns, as Arrow states them: of JSON's values, and of columns that several files share."""

import json
from collections.abc import Collection
from typing import Any

import pyarrow
from pyarrow import types

NONE, STRING = pyarrow.null(), pyarrow.string()
# The greatest integer below which float64 holds all.
EXACT = 2**53
# How `kind_of` calls integers that float64 may not hold, and all that is no scalar of Arrow.
LARGE, OTHER = "large integer", "other"
INTEGERS = {"int", LARGE}
SCALARS = {
    "NoneType": NONE, "bool": pyarrow.bool_(), "int": pyarrow.int64(), LARGE: pyarrow.int64(),
    "float": pyarrow.float64(), "str": STRING,
}  # fmt: skip


def kind_of(value: Any) -> str:
    """Return the kind of one of JSON's values, for `type_of`."""
    name = type(value).__name__
    if name == "int" and not -EXACT <= value <= EXACT:
        return LARGE if -(2**63) <= value < 2**63 else OTHER
    return name


def type_of(kinds: Collection[str]) -> pyarrow.DataType:
    """Return the type of a column with values of these kinds: texts if they have no scalar type in
    common."""
    kinds = {*kinds} - {"NoneType"} or {"NoneType"}
    if kinds <= INTEGERS:
        return SCALARS[LARGE]
    if kinds == {"int", "float"}:
        return SCALARS["float"]
    return SCALARS.get(*kinds, STRING) if len(kinds) == 1 else STRING


def is_text(kind: pyarrow.DataType) -> bool:
    """Return whether a column of a type holds texts."""
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def cell(value: Any, kind: pyarrow.DataType) -> Any:
    """Return a value for a column of a type: in one of texts, what is none is written as JSON."""
    if value is None or isinstance(value, str) or not is_text(kind):
        return value
    return json.dumps(value, ensure_ascii=False)
