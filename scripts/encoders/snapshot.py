"""The files of an encoder: its folder, or those of one commit on the hub, in the hub's cache.

transformers and spacy-transformers would request config, tokenizer and weights one by one, and
spacy-transformers always from the main branch.
"""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants

from ..common.downloads import (
    HUB_ERRORS,
    Unavailable,
    cached_etag,
    hub_file,
    impatient_hub,
    reason_of,
    verify_hub_file,
)
from ..common.errors import UserError, check_meant, warn
from ..common.files import check_whole

MAIN = "main"
COMMIT = re.compile("[0-9a-f]{40}")
CONFIG = "config.json"
# Config and tokenizer, whatever the tokenizer's type, and how a decoder generates; none of these is
# ever unpickled.
SMALL = (
    CONFIG, "generation_config.json", "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "*vocab*.json",
    "*vocab*.txt", "merges.txt", "bpe.codes", "dict.txt", "*.model", "*.spm",
)  # fmt: skip
# Weights, in transformers' order of preference, with their shards. Those of torch are pickles, which
# transformers opens with torch.load(weights_only=True); it opens no others.
WEIGHTS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)


def unusable(name: str, reason: str) -> UserError:
    """Return the error for an encoder that is missing or incomplete."""
    return UserError(
        f"encoder {name}: not a complete checkpoint (local folder or hub id): {reason}. "
        "Put its config, weights and tokenizer into a folder and name that instead."
    )


def matching(names: Collection[str], patterns: Collection[str]) -> list[str]:
    """Return the names that match a pattern, except those in subfolders."""
    return sorted(
        name
        for name in names
        if "/" not in name and any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def needed(names: Collection[str], weights: bool = True) -> list[str]:
    """Return a checkpoint's files that are read: config and tokenizer, then the weights, safetensors
    if available. Raises Unavailable if there are no weights that can be opened."""
    small = matching(names, SMALL)
    if not weights:
        return small
    for patterns in WEIGHTS:
        if patterns[0] in names:
            return small + matching(names, patterns)
    raise Unavailable(f"neither {WEIGHTS[0][0]} nor {WEIGHTS[2][0]} in it")


def is_folder(name: str, revision: str | None) -> bool:
    """Return whether a name is a local path rather than a hub id. Raises UserError for a revision of
    a folder, for one that cannot be meant, and for an incomplete folder."""
    local = Path(name).exists()
    if revision:
        check_meant("revision", revision)
    if local and revision:
        raise UserError(f"revision {revision}: {name} is a folder; only the hub has revisions.")
    if local:
        check_whole(Path(name))
    return local


def revision_of(settings: dict[str, Any]) -> str | None:
    """Return the revision in [settings]. Raises UserError for a number, which may differ from what
    was written: 1.10 is 1.1."""
    revision = settings.get("revision")
    if isinstance(revision, float | bool):
        raise UserError(f'[settings] revision = {revision}: write it in quotes, as "1.10".')
    return str(revision) if revision else None


def resolve(name: str, revision: str) -> Path:
    """Return the cache folder of the commit that a revision is at now, with the config in it.

    Call it within `impatient_hub`. Raises HUB_ERRORS.
    """
    if not COMMIT.fullmatch(revision):
        # If the hub does not answer, the download would silently use what is in the cache.
        url = huggingface_hub.hf_hub_url(name, CONFIG, revision=revision)
        huggingface_hub.get_hf_file_metadata(url)
    return Path(huggingface_hub.hf_hub_download(name, CONFIG, revision=revision)).parent


def resolve_cached(name: str, revision: str) -> Path | None:
    """Return the cache folder of the commit that a revision was at when last resolved, if any."""
    path = huggingface_hub.try_to_load_from_cache(name, CONFIG, revision=revision)
    return Path(path).parent if isinstance(path, str) else None


def warn_unresolved(name: str, commit: str, error: BaseException) -> None:
    """Warn that an earlier commit is used as the hub did not answer, unless the user is offline."""
    if not constants.HF_HUB_OFFLINE:
        warn(f"{name}: {reason_of(error)}; using commit {commit[:12]}, the last one known")


@cache
def files_of(name: str, commit: str) -> list[str]:
    """Return the names of a commit's files. Requested once per process: a commit never changes."""
    return huggingface_hub.HfApi().list_repo_files(name, revision=commit)


def complete(name: str, revision: str, weights: bool) -> Path:
    """Return the cache folder of the commit that a revision is at, with all files that are needed,
    each verified by its hash. If the hub does not answer, those of the last known commit.

    Raises HUB_ERRORS.
    """
    try:
        folder = resolve(name, revision)
        names = files_of(name, folder.name)
    except Unavailable as error:
        cached = resolve_cached(name, revision)
        if cached is None:
            raise
        warn_unresolved(name, cached.name, error)
        for file in needed([path.name for path in cached.iterdir()], weights):
            if etag := cached_etag(cached / file):
                verify_hub_file(cached / file, etag)
        return cached
    for file in needed(names, weights):
        hub_file(name, "model", file, folder.name)
    return folder


def snapshot(
    name: str, revision: str | None = None, weights: bool = True
) -> tuple[Path, str | None]:
    """Return the folder that has an encoder's files, and their commit on the hub.

    A folder is returned as it is, without a commit. From a hub repository the files that are needed
    are downloaded, unless they are in the cache, and verified by their hashes each time. Once the
    commit is known and its files are cached, a call makes no request.
    revision: a branch, tag or commit (default: main). weights: whether weights are needed.
    Raises UserError.
    """
    if is_folder(name, revision):
        return Path(name), None
    try:
        with impatient_hub():
            folder = complete(name, revision or MAIN, weights)
    except HUB_ERRORS as error:
        raise unusable(name, reason_of(error)) from error
    return folder, folder.name
