"""Check a converted corpus before training: `python -m scripts check corpus/mine`."""

from pathlib import Path
from typing import Any

import srsly
from wasabi import msg

from .common.errors import UserError
from .common.files import check_file, written_beside
from .corpora.checks import SEVERITIES, Pieces, check_corpus, splits_of
from .corpora.report import corpus_report
from .serving.gold import split_sha256

# The encoder of the demo, with which pieces are counted if it is there and no other is given.
DEMO_ENCODER = Path("assets/encoders/e5-small-fr-en")
# Of the examples of a finding, as many as fit a line of the table.
LINE = 60


def open_pieces(encoder: str, revision: str) -> Pieces | None:
    """Return what counts an encoder's pieces; None if no encoder is given and the demo's is not there.

    Raises UserError for an encoder whose tokenizer cannot be opened.
    """
    if not encoder and not DEMO_ENCODER.exists():
        msg.info("no --encoder: pieces were not counted")
        return None
    from .encoders.checkpoint import open_tokenizer, strip_local_path
    from .wheel.offsets import with_offsets

    encoder = encoder or str(DEMO_ENCODER)
    print(f"pieces are those of {encoder}")
    return Pieces(
        with_offsets(open_tokenizer(encoder, revision or None)), strip_local_path(encoder)
    )


def shortened(examples: list[str]) -> str:
    """Return the first examples in a line; at least one."""
    line = ""
    for example in examples:
        if line and len(line) + len(example) > LINE:
            return f"{line} · …"
        line += f" · {example}" if line else example
    return line


def rows_of(findings: list[dict[str, Any]]) -> list[tuple[str, str, str, str]]:
    """Return the rows of the table of findings: severity, count, what with examples, first places."""
    rows = []
    for found in findings:
        examples = shortened(found["examples"])
        what = f"{found['what']}: {examples}" if examples else found["what"]
        count = f"{found['count']:,}" if found["count"] else ""
        rows.append((found["severity"], count, what, ", ".join(found["first"])))
    return rows


def splits_sha256(corpus: Path) -> dict[str, str]:
    """Return the sha256 of each split of a corpus. Raises UserError if there are none."""
    return {split: split_sha256(corpus / f"{split}.spacy") for split in splits_of(corpus)}


def read_check(path: Path, corpus: Path) -> list[dict[str, Any]]:
    """Return the findings in a file that `check` wrote about a corpus.

    Raises UserError if it is missing or something else, or the corpus has changed since.
    """
    if not path.is_file():
        raise UserError(f"{path} is missing: run `check {corpus} --json {path}` first.")
    try:
        found = srsly.read_json(path)
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error}); run `check --json` again.") from error
    if not isinstance(found, dict) or not {"splits", "findings"} <= set(found):
        raise UserError(f"{path}: not what `check --json` writes; name that file.")
    if found["splits"] != splits_sha256(corpus):
        raise UserError(
            f"{path}: of another corpus than {corpus}, or of an earlier state of it; run "
            "`check --json` again."
        )
    return found["findings"]


def check(
    corpus: Path, encoder: str = "", revision: str = "", output: Path | None = None
) -> dict[str, Any]:
    """Print what a careful colleague would say of a corpus; write it to a JSON file, if one is given.

    Raises UserError for a folder that is no converted corpus.
    """
    if output is not None:
        check_file(output)
    splits = splits_sha256(corpus)
    report = corpus_report(corpus / "report.json")
    language = report.get("language", "xx")
    pieces = open_pieces(encoder, revision)
    findings = [found._asdict() for found in check_corpus(corpus, language, pieces)]
    result = {
        "corpus": corpus.resolve().name, "language": language,
        "encoder": pieces.name if pieces else None,
        "splits": splits,
        "findings": findings,
    }  # fmt: skip
    msg.table(
        rows_of(findings), header=("", "count", "what", "first at"), divider=True,
        aligns=("l", "r", "l", "l"), max_col=300,
    )  # fmt: skip
    counts = [sum(found["severity"] == name for found in findings) for name in SEVERITIES]
    said = ", ".join(f"{count} {name}" for name, count in zip(SEVERITIES, counts))
    if output is not None:
        with written_beside(output.parent) as folder:
            srsly.write_json(folder / output.name, result)
        said += f"; {output} has all of it"
    msg.good(f"{corpus}: {said}")
    return result
