"""SST-2 as GLUE's TSV: a header, no quoting (Socher et al. 2013; Wang et al. 2019)."""

from collections.abc import Iterator
from pathlib import Path

from ...common.errors import UserError
from ...common.rawfile import RawFile
from ...common.split_names import find_files
from ..examples import Format, LabelledText, Log, Notes
from ..options import Options
from ..sample import Sample
from .tabular import delimited

LABELS = ("negative", "positive")
UNLABELLED = "without label"


def read(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the sentences of a file, from its columns `sentence` and `label`.

    Sentences without a label (GLUE's test split, or -1) are skipped. Raises UserError for a missing
    column, a line with the wrong number of columns, and a label other than 0 or 1.
    """
    rows = delimited(
        file,
        "\t",
        log,
        columns=options.columns or "",
        required=["sentence"] if options.columns is None else ["sentence", "label"],
        example="sentence,label",
        quoting="none",
    )
    for number, row in rows:
        location = file.location(number)
        label, text = row.get("label", "-1").strip(), row["sentence"].strip()
        if label == "-1":
            log.skip(UNLABELLED, location)
        elif label not in ("0", "1"):
            raise UserError(f"{location}: invalid label {label[:20]!r}; use 0 or 1.")
        elif not text:
            log.skip("empty text", location)
        else:
            label = LABELS[int(label)]
            yield LabelledText(text, label, label, number)


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the files of each split, using GLUE's validation split as test.

    The labels of GLUE's test split are not public, so scores are reported on the validation split.
    It is therefore not used for model selection, for which a dev split is carved from train.
    """
    files = find_files(folder, ignored.add)
    if "test" in files:
        log = Log()
        path = files["test"][0]
        if next(read(RawFile(path, options.encoding), options, log), None) is None:
            ignored.update(log.skipped)
            del files["test"]
    if "test" not in files and "dev" in files:
        files["test"] = files.pop("dev")
    return files


def recognises(sample: Sample) -> bool:
    """Return whether a file has SST-2's header, and it or its folder is called so. Other tasks of GLUE
    have this header and 0 and 1 as labels too."""
    called = any("sst" in part.casefold() for part in sample.path.resolve().parts[-2:])
    return called and bool(sample.lines) and sample.lines[0].strip() == "sentence\tlabel"


# Train contains sentences and also phrases from their parse trees.
FORMAT = Format(
    "GLUE's SST-2 TSV",
    read,
    options=("encoding", "columns"),
    labels=LABELS,
    find=find,
    dev_ratio=0.05,
    phrases=True,
    recognises=recognises,
)
