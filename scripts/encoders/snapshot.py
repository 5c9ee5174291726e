"""The files of an encoder: its folder, or those of one commit of the hub, in the hub's cache.

transformers and spacy-transformers would ask for config, tokenizer and weights one by one, and
spacy-transformers always at the end of the main branch.
"""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.errors
import requests
from huggingface_hub import constants

from ..common.downloads import (
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
# Of config and tokenizer, whatever the kind of tokenizer; none of them is ever unpickled.
SMALL = (
    CONFIG, "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "*vocab*.json",
    "*vocab*.txt", "merges.txt", "bpe.codes", "dict.txt", "*.model", "*.spm",
)  # fmt: skip
# Of the weights, in transformers' order: the first that is there, with its parts. Those of torch are
# pickles, which transformers opens with torch.load(weights_only=True); it opens no other ones.
WEIGHTS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)
# What keeps the hub's library from a file: no answer, no such thing, no name, a broken-off answer.
HUB_ERRORS = (
    Unavailable,
    huggingface_hub.errors.HfHubHTTPError,
    huggingface_hub.errors.HFValidationError,
    requests.RequestException,
)


def unusable(name: str, reason: str) -> UserError:
    """Return the error for an encoder that is not there, or not whole."""
    return UserError(
        f"encoder {name}: no whole checkpoint, in a folder or on the hub ({reason}). "
        "Put its config, weights and tokenizer into a folder and name that instead."
    )


def matching(names: Collection[str], patterns: Collection[str]) -> list[str]:
    """Return the names that match a pattern, those in folders aside."""
    return sorted(
        name
        for name in names
        if "/" not in name and any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def needed(names: Collection[str], weights: bool = True) -> list[str]:
    """Return the files of a checkpoint that are read: config, tokenizer, then the weights, which are
    safetensors where there are some. Raises Unavailable where none can be opened."""
    small = matching(names, SMALL)
    if not weights:
        return small
    for patterns in WEIGHTS:
        if patterns[0] in names:
            return small + matching(names, patterns)
    raise Unavailable(f"neither {WEIGHTS[0][0]} nor {WEIGHTS[2][0]} in it")


def is_folder(name: str, revision: str | None) -> bool:
    """Tell a folder, or another path, from a name on the hub. Raises UserError for its revision, for
    one that cannot be meant, and where the folder is incomplete."""
    here = Path(name).exists()
    if revision:
        check_meant("revision", revision)
    if here and revision:
        raise UserError(f"revision {revision}: {name} is a folder; only the hub has revisions.")
    if here:
        check_whole(Path(name))
    return here


def revision_of(settings: dict[str, Any]) -> str | None:
    """Return the revision in [settings]. Raises UserError for a number, which may be another than was
    written: 1.10 is 1.1."""
    revision = settings.get("revision")
    if isinstance(revision, float | bool):
        raise UserError(f'[settings] revision = {revision}: write it in quotes, as "1.10".')
    return str(revision) if revision else None


def ask_hub(name: str, revision: str) -> Path:
    """Return the folder in the cache of the commit that a revision is at now, with the config in it.

    To be called with an impatient hub. Raises HUB_ERRORS.
    """
    if not COMMIT.fullmatch(revision):
        # Without an answer the download would take what is in the cache, and say nothing.
        url = huggingface_hub.hf_hub_url(name, CONFIG, revision=revision)
        huggingface_hub.get_hf_file_metadata(url)
    return Path(huggingface_hub.hf_hub_download(name, CONFIG, revision=revision)).parent


def look_up(name: str, revision: str) -> Path | None:
    """Return the folder in the cache of the commit that a revision was at when last asked for."""
    path = huggingface_hub.try_to_load_from_cache(name, CONFIG, revision=revision)
    return Path(path).parent if isinstance(path, str) else None


def tell_unasked(name: str, commit: str, error: BaseException) -> None:
    """Say that the hub could not be asked for a commit, where nobody told it not to be."""
    if not constants.HF_HUB_OFFLINE:
        warn(f"{name}: {reason_of(error)}; taken to be at commit {commit[:12]}, as before")


def complete(name: str, revision: str, weights: bool) -> Path:
    """Return the folder in the cache of the commit that a revision is at, with all files that are
    needed, each compared with its hash; where the hub cannot be asked, with those that are there.

    Raises HUB_ERRORS.
    """
    try:
        folder = ask_hub(name, revision)
        names = huggingface_hub.HfApi().list_repo_files(name, revision=folder.name)
    except Unavailable as error:
        cached = look_up(name, revision)
        if cached is None:
            raise
        tell_unasked(name, cached.name, error)
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
    """Return the folder that has an encoder's files, and the commit of the hub that they are of.

    A folder is returned as it is, without a commit. Of a repository on the hub the files that are
    needed are downloaded, unless they are in the cache, and compared with their hashes each time;
    `weights` says whether weights are among them. revision: a branch, tag or commit (default: main).
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
