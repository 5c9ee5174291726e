"""Download a corpus into assets/: from the hub with `datasets`, or an archive by its URL and sha256."""

import fnmatch
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import datasets
import huggingface_hub
from tqdm import tqdm
from wasabi import msg

from .common import sources
from .common.downloads import HUB_ERRORS, Unavailable, download, hub_file, impatient_hub, reason_of
from .common.errors import UserError, warn
from .common.files import LOCK, is_whole, sha256, written_beside
from .common.rawfile import is_archive, unpack
from .corpora.examples import Log
from .corpora.hub import WRITERS, Rows, names_of

# The hub's split names -> file names that the readers know.
SPLITS = {"train": "train", "validation": "valid", "test": "test"}


@contextmanager
def loading() -> Iterator[None]:
    """Turn what `datasets` raises for a data set that it cannot load into Unavailable.

    Only its own calls belong inside: around our lines this would hide faults of ours.
    """
    try:
        yield
    # RuntimeError: a data set that is a program.
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        cause = error
        if isinstance(error, datasets.exceptions.DatasetGenerationError):
            cause = error.__cause__ or error
        # This machine's disk, not the data set.
        if isinstance(cause, OSError) and cause.errno is not None:
            raise cause from cause.__cause__
        raise Unavailable(reason_of(cause)) from error


def load(hub: dict[str, Any], revision: str) -> dict[str, datasets.Dataset]:
    """Return the splits of a data set, by our names for them; each file is verified by its hash.

    If only some splits are wanted (one language of several), only their files are downloaded.
    Raises HUB_ERRORS.
    """
    name, config = hub["id"], hub.get("config") or None
    # Asked first, as its answers are clearer than what `datasets` makes of them.
    huggingface_hub.HfApi().dataset_info(name, revision=revision)
    with loading():
        builder = datasets.load_dataset_builder(name, config, revision=revision)
    files = {split: list(urls) for split, urls in (builder.config.data_files or {}).items()}
    if not files:
        raise Unavailable("it has no data files; data sets that are programs are not run")
    wanted = hub.get("splits") or {}
    if not wanted or not set(wanted) <= set(files):
        # `splits` are those of another data set.
        wanted = {split: SPLITS[split] for split in files if split in SPLITS}
    if not wanted:
        usual = ", ".join(hub.get("splits") or SPLITS)
        raise Unavailable(f"it has none of the splits {usual}, but {', '.join(sorted(files))}")
    paths: dict[str, list[str]] = {}
    system = huggingface_hub.HfFileSystem()
    for split in wanted:
        for url in files[split]:
            with loading():
                file = system.resolve_path(url)
            hub_file(name, "dataset", file.path_in_repo, file.revision)
            paths.setdefault(split, []).append(file.path_in_repo)
    with loading():
        if set(wanted) == set(files):
            loaded = datasets.load_dataset(name, config, revision=revision)
        else:
            # The sizes in its card are those of all splits.
            loaded = datasets.load_dataset(
                name, data_files=paths, revision=revision, verification_mode="no_checks"
            )
    return {ours: loaded[theirs] for theirs, ours in wanted.items()}


def fetch_hub(hub: dict[str, Any], revision: str, output: Path) -> None:
    """Load a corpus with `datasets` and write it in its raw format, one file per split.

    Raises UserError with what was tried, and which files to put where instead; and for labels
    whose names are not known.
    """
    format = hub["format"]
    write, suffix, columns, _ = WRITERS[format]
    try:
        with impatient_hub():
            splits = load(hub, revision)
    except HUB_ERRORS as error:
        names = hub.get("splits", SPLITS).values()
        raise UserError(
            f"{hub['id']}, revision {revision}, cannot be downloaded from "
            f"{huggingface_hub.constants.ENDPOINT} ({reason_of(error)}). Put the corpus into {output} "
            f"yourself, as {', '.join(f'{name}.{suffix}' for name in names)} in the format "
            f"`{format}`, and run again."
        ) from error
    for name, rows in splits.items():
        if not any(needed <= set(rows.column_names) for needed in columns):
            raise UserError(
                f"{hub['id']}, {name}: columns {', '.join(rows.column_names)}, where "
                f"{', '.join(sorted(columns[0]))} are expected; name another data set with --id."
            )
    log = Log()
    with written_beside(output) as folder:
        for name, rows in splits.items():
            path = folder / f"{name}.{suffix}"
            place = f"{hub['id']}, {name}"
            split = Rows(rows, names_of(rows, format, hub.get("labels"), place), log, place)
            with path.open("w", encoding="utf8", newline="\n") as stream:
                bar = tqdm(write(split), path.name, total=len(rows))
                stream.writelines(f"{line}\n" for line in bar)
    for kind, note in (log.skipped.to_json() | log.repaired.to_json()).items():
        warn(f"{note['count']:,} times: {kind}; first at {note['first'][0]}")


def fetch_archive(archive: dict[str, Any], downloads: Path, output: Path) -> None:
    """Download a tar archive, verify its sha256, and extract the members that are needed; any other
    file is copied as it is.

    Raises UserError with what was tried, and which file to put where instead.
    """
    path = downloads / urlsplit(archive["url"]).path.rsplit("/", 1)[-1]
    size = archive.get("bytes")
    if not path.exists():
        try:
            download(archive["url"], path, size, archive["sha256"])
        except Unavailable as error:
            known = f"{size:,} bytes, " if size else ""
            raise UserError(
                f"{archive['url']} cannot be downloaded ({error}). Put {path.name} "
                f"({known}sha256 {archive['sha256']}) into {downloads}, or its "
                f"extracted files into {output}, and run again."
            ) from error
    elif sha256(path) != archive["sha256"]:
        raise UserError(
            f"{path}: not the expected file, its sha256 is not {archive['sha256']}; delete it, or "
            "download it again."
        )
    with written_beside(output) as folder:
        if is_archive(path):
            unpack(path, folder, lambda name: fnmatch.fnmatch(name, archive["members"]))
        elif zipfile.is_zipfile(path):
            raise UserError(f"{path}: a zip archive; unpack it into {output} yourself.")
        else:
            shutil.copy(path, folder)
        if not any(file.is_file() for file in folder.rglob("*") if file.name != LOCK):
            raise UserError(
                f"{path}: no member matches {archive['members']}; is it another archive?"
            )


def fetch(
    corpus: str,
    output: Path,
    id: str,
    config: str,
    revision: str,
    url: str,
    digest: str,
    downloads: Path,
) -> None:
    """Download a corpus. Existing files in OUTPUT are used as they are. Raises UserError."""
    known = sources.known("corpora")
    source = known.get(corpus, {})
    if not {"hub", "archive"} & set(source):
        names = ", ".join(name for name, item in known.items() if {"hub", "archive"} & set(item))
        raise UserError(f"no corpus {corpus!r} in {sources.SOURCES}; choose from {names}.")
    if output.is_dir() and any(output.iterdir()) and is_whole(output):
        msg.info(f"{output} exists and is used as it is; delete it to download it again")
        return
    if "hub" in source and url:
        raise UserError(f"--url: {corpus} is a data set on the hub; name another with --id.")
    if "archive" in source and (id or config or revision):
        raise UserError(
            f"{corpus} is an archive, not a data set on the hub; name another with --url."
        )
    if "hub" in source:
        hub = source["hub"]
        named = {"id": id or hub["id"], "config": config or hub.get("config")}
        if named != {"id": hub["id"], "config": hub.get("config")}:
            # They apply to that data set only.
            hub.pop("labels", None)
        hub |= named
        fetch_hub(hub, revision or "main", output)
    else:
        archive = source["archive"]
        if url:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path[-1:] in "/":
                raise UserError(f"--url {url}: not the address of a file, such as https://…/name.")
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise UserError("--url: give the file's --sha256 as well, 64 hexadecimal digits.")
            archive |= {"url": url, "sha256": digest, "bytes": None}
        if "url" not in archive:
            raise UserError(
                f"{source['title']} is distributed at {source['url']} ({source['license']}), file by "
                f"file. Put its files into {output} and run again, or name an archive of them with "
                "--url and --sha256."
            )
        fetch_archive(archive, downloads, output)
    msg.good(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
