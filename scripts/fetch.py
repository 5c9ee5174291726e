"""Get a corpus into assets/: from the hub with `datasets`, or an archive by its URL and sha256."""

import fnmatch
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import datasets
import huggingface_hub
import requests
from tqdm import tqdm
from wasabi import msg

from .common import sources
from .common.downloads import Unavailable, download, hub_file, impatient_hub, reason_of
from .common.errors import UserError, warn
from .common.files import LOCK, is_whole, sha256, written_beside
from .common.rawfile import is_archive, unpack
from .corpora.examples import Log
from .corpora.hub import WRITERS, Rows, names_of

# The hub's split names -> file names that the readers know.
SPLITS = {"train": "train", "validation": "valid", "test": "test"}


def load(hub: dict[str, Any], revision: str) -> dict[str, datasets.Dataset]:
    """Return the splits of a data set, by our names for them; each file is checked by its hash.

    Where only some splits are wanted (one language of several) only their files are downloaded.
    """
    name, config = hub["id"], hub.get("config") or None
    # Asked first, as its answers are plainer than what `datasets` makes of them.
    huggingface_hub.HfApi().dataset_info(name, revision=revision)
    builder = datasets.load_dataset_builder(name, config, revision=revision)
    files = {split: list(urls) for split, urls in (builder.config.data_files or {}).items()}
    if not files:
        raise Unavailable("it has no data files; data sets that are programs are not run")
    wanted = hub.get("splits") or {}
    if not wanted or not set(wanted) <= set(files):
        # Those of another data set.
        wanted = {split: SPLITS[split] for split in files if split in SPLITS}
    if not wanted:
        usual = ", ".join(hub.get("splits") or SPLITS)
        raise Unavailable(f"it has none of the splits {usual}, but {', '.join(sorted(files))}")
    paths: dict[str, list[str]] = {}
    system = huggingface_hub.HfFileSystem()
    for split in wanted:
        for url in files[split]:
            there = system.resolve_path(url)
            hub_file(name, "dataset", there.path_in_repo, there.revision)
            paths.setdefault(split, []).append(there.path_in_repo)
    if set(wanted) == set(files):
        loaded = datasets.load_dataset(name, config, revision=revision)
    else:
        # The sizes that its card tells are those of all splits.
        loaded = datasets.load_dataset(
            name, data_files=paths, revision=revision, verification_mode="no_checks"
        )
    return {ours: loaded[theirs] for theirs, ours in wanted.items()}


def fetch_hub(hub: dict[str, Any], revision: str, output: Path) -> None:
    """Load a corpus with `datasets` and write it in its raw format, a file a split.

    Raises UserError with what was tried, and which files to put where instead; and for labels
    whose names are not known.
    """
    format = hub["format"]
    write, suffix, columns, _ = WRITERS[format]
    try:
        with impatient_hub():
            splits = load(hub, revision)
    except (
        Unavailable,
        OSError,
        ValueError,
        # Of `datasets`, for a data set that is a program.
        RuntimeError,
        datasets.exceptions.DatasetsError,
        huggingface_hub.errors.HfHubHTTPError,
        requests.RequestException,
    ) as error:
        names = hub.get("splits", SPLITS).values()
        raise UserError(
            f"{hub['id']}, revision {revision}, cannot be had from "
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
    """Download a tar archive, compare its sha256, and extract the members of use; another file is
    taken as it is.

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
                f"{archive['url']} cannot be had ({error}). Put {path.name} "
                f"({known}sha256 {archive['sha256']}) into {downloads}, or its "
                f"extracted files into {output}, and run again."
            ) from error
    elif sha256(path) != archive["sha256"]:
        raise UserError(
            f"{path}: not the expected file, its sha256 is not {archive['sha256']}; delete it, or "
            "get it again."
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
                f"{path}: nothing in it is named {archive['members']}; another archive?"
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
    """Get a corpus. What is already in OUTPUT is used as it is."""
    known = sources.known("corpora")
    source = known.get(corpus, {})
    if not {"hub", "archive"} & set(source):
        names = ", ".join(name for name, item in known.items() if {"hub", "archive"} & set(item))
        raise UserError(f"no corpus {corpus!r} in {sources.SOURCES}; there are: {names}.")
    if output.is_dir() and any(output.iterdir()) and is_whole(output):
        msg.info(f"{output} is there already, and used as it is; delete it to get it again")
        return
    if "hub" in source and url:
        raise UserError(f"--url: {corpus} is a data set of the hub; name another with --id.")
    if "archive" in source and (id or config or revision):
        raise UserError(
            f"{corpus} is an archive, not a data set of the hub; name another with --url."
        )
    if "hub" in source:
        hub = source["hub"]
        named = {"id": id or hub["id"], "config": config or hub.get("config")}
        if named != {"id": hub["id"], "config": hub.get("config")}:
            # They were written for that data set alone.
            hub.pop("labels", None)
        hub |= named
        fetch_hub(hub, revision or "main", output)
    else:
        archive = source["archive"]
        if url:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.netloc or parts.path[-1:] in "/":
                raise UserError(f"--url {url}: no address of a file; write http://… to its name.")
            if not re.fullmatch("[0-9a-f]{64}", digest):
                raise UserError("--url: give the --sha256 of the file as well, 64 digits of it.")
            archive |= {"url": url, "sha256": digest, "bytes": None}
        if "url" not in archive:
            raise UserError(
                f"{source['title']} is given out at {source['url']} ({source['license']}), file by "
                f"file. Put its files into {output} and run again, or name an archive of them with "
                "--url and --sha256."
            )
        fetch_archive(archive, downloads, output)
    msg.good(f"{output}: {', '.join(sorted(path.name for path in output.iterdir()))}")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
