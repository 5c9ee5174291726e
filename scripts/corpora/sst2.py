"""SST-2 in GLUE's layout: TSV with a header, no quoting (Wang et al. 2019; Socher et al. 2013)."""

from collections.abc import Iterator
from pathlib import Path

from ..common.errors import UserError
from ..common.rawfile import RawFile, find_files
from .examples import Format, LabelledText, Log, Notes
from .options import Options
from .tabular import delimited

LABELS = ("negative", "positive")
UNLABELLED = "without label"


def read(file: RawFile, options: Options, log: Log) -> Iterator[LabelledText]:
    """Yield the sentences of a file; columns are found by their names, `sentence` and `label`.

    What has no label (GLUE's test, or -1) is noted as skipped.
    Raises UserError for a missing header, a line with other columns, a label that is not 0 or 1.
    """
    rows = delimited(
        file,
        "\t",
        log,
        columns=options.columns or "",
        required=["sentence"] if options.columns is None else ["sentence", "label"],
        usual="sentence,label",
        quoting="none",
    )
    for number, row in rows:
        place = file.location(number)
        label, text = row.get("label", "-1").strip(), row["sentence"].strip()
        if label == "-1":
            log.skip(UNLABELLED, place)
        elif label not in ("0", "1"):
            raise UserError(f"{place}: label {label[:20]!r}; expected 0 or 1.")
        elif not text:
            log.skip("empty text", place)
        else:
            label = LABELS[int(label)]
            yield LabelledText(text, label, label, number)


def find(folder: Path, language: str, options: Options, ignored: Notes) -> dict[str, list[Path]]:
    """Return the files of each split; GLUE's validation becomes the test split.

    GLUE's test labels are not public. What is reported is measured on its validation, which is
    therefore not used to choose a model: that is done on a dev split carved from train.
    """
    files = find_files(folder, ignored.add)
    if "test" in files:
        log = Log()
        (path,) = files["test"]
        if next(read(RawFile(path, options.encoding), options, log), None) is None:
            ignored.update(log.skipped)
            del files["test"]
    if "test" not in files and "dev" in files:
        files["test"] = files.pop("dev")
    return files


# Train holds the phrases of the treebank's parse trees beside its sentences.
FORMAT = Format(
    "GLUE's SST-2 TSV",
    read,
    options=("encoding", "columns"),
    labels=LABELS,
    find=find,
    dev_ratio=0.05,
    phrases=True,
)
