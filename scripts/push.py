"""Upload a Hugging Face folder to the hub: `python -m scripts push FOLDER USER/NAME`."""

from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.errors
import huggingface_hub.utils
from wasabi import msg

from .common.downloads import HUB_ERRORS, impatient_hub, reason_of
from .common.errors import UserError
from .common.files import check_whole

NEEDED = ("config.json", "README.md", "tokenizer_config.json")


def check(folder: Path) -> None:
    """Raise UserError for a folder that is not a complete checkpoint with a model card."""
    check_whole(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; name one that `export`, `pretrain` or `trim` wrote."
        )
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise UserError(
            f"{folder}: no {', '.join(missing)} in it; `export`, `pretrain` and `trim` write them."
        )


def push(folder: Path, repository: str, shown: str, public: bool) -> None:
    """Create a repository on the hub, unless it exists, and upload a checkpoint with its card.

    Uses the login on this machine (`hf auth login`), or a token with write access in $HF_TOKEN.
    Raises UserError.
    """
    if shown:
        raise UserError(
            "--token: anyone who lists this machine's processes can read it; revoke it, and put a new "
            "one into HF_TOKEN or log in once with `hf auth login`."
        )
    check(folder)
    token = huggingface_hub.get_token()
    if token is None:
        raise UserError(
            "not logged in: create a token with write access on the hub, and log in with "
            "`hf auth login`, or put it into HF_TOKEN."
        )
    try:
        huggingface_hub.utils.validate_repo_id(repository)
    except huggingface_hub.errors.HFValidationError as error:
        raise UserError(f"{repository}: not a repository name; write USER/NAME.") from error
    if "/" not in repository:
        raise UserError(f"{repository}: no user in it; write USER/{repository}.")
    api = huggingface_hub.HfApi(token=token)
    try:
        # Fails soon if there is no hub; an upload may take its time.
        with impatient_hub():
            api.create_repo(repository, private=not public, exist_ok=True)
        done = api.upload_folder(
            folder_path=folder,
            repo_id=repository,
            commit_message=f"Upload {folder.name}",
            # TensorBoard's files name the machine; hidden files are nobody else's business.
            ignore_patterns=["logs/*", ".*", "*/.*"],
        )
    except (
        *HUB_ERRORS,
        ValueError,
        OSError,
        # An upload that failed several times.
        RuntimeError,
    ) as error:
        raise UserError(
            f"{repository} cannot be uploaded to {huggingface_hub.constants.ENDPOINT} "
            f"({reason_of(error)}). It is unchanged there, or new and empty; run again."
        ) from error
    msg.good(f"{folder} is at {done}")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
