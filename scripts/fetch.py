"""Get a corpus into assets/: from the hub with `datasets`, or an archive by its URL and sha256."""

import fnmatch
import shutil
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import srsly
import typer
from tqdm import tqdm
from wasabi import msg

from .errors import UserError, run
from .files import sha256, written_beside

SOURCES = Path("configs/sources.yml")
TIMEOUT = 10
# The hub's split names -> file names that the readers know.
SPLIT_FILES = {"train": "train", "validation": "valid", "test": "test"}


def sst2_lines(rows: datasets.Dataset, labels: Any) -> Iterator[str]:
    """Yield the lines of GLUE's TSV; its test split has no labels (-1 on the hub)."""
    labelled = rows[0]["label"] >= 0
    yield "sentence\tlabel" if labelled else "index\tsentence"
    for row in rows:
        text = row["sentence"]
        yield f"{text}\t{row['label']}" if labelled else f"{row['idx']}\t{text}"


def tag_names(rows: datasets.Dataset, labels: Any) -> Callable[[int], str]:
    """Return the function from a tag's number to its name: the data set's own, or `labels`."""
    feature = getattr(rows.features["ner_tags"], "feature", None)
    return labels.__getitem__ if labels else feature.int2str


def wikiner_lines(rows: datasets.Dataset, labels: Any) -> Iterator[str]:
    """Yield a sentence a line, word|_|tag."""
    name = tag_names(rows, labels)
    for row in rows:
        yield " ".join(f"{word}|_|{name(tag)}" for word, tag in zip(row["tokens"], row["ner_tags"]))


def iob_lines(rows: datasets.Dataset, labels: Any) -> Iterator[str]:
    """Yield a token a line, word TAB tag, and a blank line after each sentence."""
    name = tag_names(rows, labels)
    for row in rows:
        for word, tag in zip(row["tokens"], row["ner_tags"]):
            yield f"{word}\t{name(tag)}"
        yield ""


WRITERS = {
    "sst2": (sst2_lines, "tsv"),
    "wikiner": (wikiner_lines, "wikiner"),
    "iob": (iob_lines, "conll"),
}


def fetch_hub(hub: dict[str, Any], revision: str, output: Path) -> None:
    """Load a corpus with `datasets` and write it in its raw format, a file a split."""
    write, suffix = WRITERS[hub["format"]]
    try:
        splits = datasets.load_dataset(hub["id"], hub.get("config"), revision=revision)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{hub['id']} cannot be had from the hub ({reason}). Put the corpus into {output} "
            f"yourself, as {', '.join(f'{name}.{suffix}' for name in SPLIT_FILES.values())} "
            f"in the format `{hub['format']}`."
        ) from error
    with written_beside(output) as folder:
        for name, rows in splits.items():
            path = folder / f"{SPLIT_FILES[name]}.{suffix}"
            with path.open("w", encoding="utf8", newline="\n") as stream:
                bar = tqdm(write(rows, hub.get("labels")), path.name, total=len(rows))
                stream.writelines(f"{line}\n" for line in bar)


def fetch_archive(archive: dict[str, Any], downloads: Path, output: Path) -> None:
    """Download a tar archive, compare its sha256, and extract the members of use.

    A download that breaks off leaves a `.part` file and no archive.
    """
    path = downloads / archive["url"].rsplit("/", 1)[-1]
    wanted = (
        f"Put {path.name} ({archive['bytes']:,} bytes, sha256 {archive['sha256']}) into "
        f"{downloads}, or its extracted files into {output}, and run again."
    )
    if not path.exists():
        downloads.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        try:
            with urllib.request.urlopen(archive["url"], timeout=TIMEOUT) as response:
                bar = tqdm.wrapattr(response, "read", total=archive["bytes"], desc=path.name)
                with bar as source, part.open("wb") as target:
                    shutil.copyfileobj(source, target)
        except OSError as error:
            raise UserError(f"{archive['url']} cannot be had ({error}). {wanted}") from error
        part.rename(path)
    if sha256(path) != archive["sha256"]:
        raise UserError(f"{path} is not the expected file: delete it. {wanted}")
    with written_beside(output) as folder, tarfile.open(path) as tar:
        for member in tar:
            if fnmatch.fnmatch(member.name, archive["members"]) and member.isfile():
                tar.extract(member, folder, filter="data")


def main(
    corpus: str = typer.Argument(..., help="A corpus of configs/sources.yml: sst2, flue, …"),
    output: Path = typer.Argument(..., help="Folder for the raw files, e.g. assets/sst2"),
    revision: str | None = typer.Option(None, help="Revision of the hub's data set"),
    downloads: Path = typer.Option(Path("assets/downloads"), help="Where archives are kept"),
) -> None:
    """Get a corpus. What is already in OUTPUT is used as it is."""
    known = srsly.read_yaml(SOURCES)["corpora"]
    source = known.get(corpus, {})
    if not {"hub", "archive"} & set(source):
        names = ", ".join(name for name, item in known.items() if {"hub", "archive"} & set(item))
        raise UserError(f"no corpus {corpus!r} in {SOURCES}; there are: {names}.")
    if output.is_dir() and any(output.iterdir()):
        msg.info(f"{output} is there already, and used as it is")
        return
    if "hub" in source:
        fetch_hub(source["hub"], revision or "main", output)
    else:
        fetch_archive(source["archive"], downloads, output)
    msg.good(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")


if __name__ == "__main__":
    run(main)
