"""SST-2 in GLUE's layout: TSV with a header, no quoting (Wang et al. 2019; Socher et al. 2013)."""

from pathlib import Path
from typing import Dict, Iterator, List

from ..errors import UserError
from .examples import Format, LabelledText, Notes, find_files, lines

LABELS = ("negative", "positive")


def read(path: Path, skipped: Notes, repaired: Notes) -> Iterator[LabelledText]:
    """Yield the sentences of a file; columns are found by their names, `sentence` and `label`.

    A file without labels (GLUE's test) yields nothing: its lines are noted as skipped.
    Raises UserError for a missing header, a line with other columns, a label that is not 0 or 1.
    """
    rows = lines(path)
    _, header = next(rows, (1, ""))
    names = header.split("\t")
    if "sentence" not in names:
        raise UserError(f"{path}:1: the header has no column 'sentence'; write one, tab-separated.")
    sentence = names.index("sentence")
    for number, line in rows:
        place = f"{path}:{number}"
        row = line.split("\t")
        if len(row) != len(names):
            raise UserError(f"{place}: {len(row)} columns, the header has {len(names)}.")
        if "label" not in names:
            skipped.add("without label", place)
            continue
        label, text = row[names.index("label")], row[sentence].strip()
        if label not in ("0", "1"):
            raise UserError(f"{place}: label {label[:20]!r}; expected 0 or 1.")
        if not text:
            skipped.add("empty text", place)
            continue
        yield LabelledText(text, LABELS[int(label)], label)


def has_labels(path: Path) -> bool:
    """Tell whether the header names a label column."""
    return "label" in next(lines(path), (1, ""))[1].split("\t")


def find(folder: Path, language: str, skipped: Notes) -> Dict[str, List[Path]]:
    """Return the files of each split; GLUE's validation becomes the test split.

    GLUE's test labels are not public. What is reported is measured on its validation, which is
    therefore not used to choose a model: that is done on a dev split carved from train.
    """
    files = find_files(folder, language, skipped)
    if "test" in files and not has_labels(files["test"][0]):
        for _ in read(files["test"][0], skipped, Notes()):
            pass
        del files["test"]
    if "test" not in files and "dev" in files:
        files["test"] = files.pop("dev")
    return files


FORMAT = Format(read, labels=LABELS, find=find, dev_ratio=0.05)
