"""Send a Hugging Face folder to the hub: `python -m scripts.push FOLDER USER/NAME`."""

from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.errors
import huggingface_hub.utils
import requests
from wasabi import msg

from .common.downloads import Unavailable, impatient_hub, reason_of
from .common.errors import UserError
from .common.files import check_whole

NEEDED = ("config.json", "README.md", "tokenizer_config.json")


def check(folder: Path) -> None:
    """Raise UserError for a folder that is no checkpoint with a card, or an incomplete one."""
    check_whole(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; `export` and `pretrain` write some.")
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if not any(folder.glob("*.safetensors")):
        missing.append("model.safetensors")
    if missing:
        raise UserError(f"{folder}: no {', '.join(missing)} in it; `export` writes them.")


def push(folder: Path, repository: str, shown: str, public: bool) -> None:
    """Create a repository on the hub, unless it is there, and upload a checkpoint with its card.

    Your login on this machine is used (`hf auth login`), or a token with write access in $HF_TOKEN.
    """
    if shown:
        raise UserError(
            "--token: anyone who lists this machine's processes can read it; put it into HF_TOKEN, or "
            "log in once with `hf auth login`, and revoke this one."
        )
    check(folder)
    token = huggingface_hub.get_token()
    if token is None:
        raise UserError(
            "no login: make a token with write access on the hub, and log in with `hf auth login`, or "
            "put it into HF_TOKEN."
        )
    try:
        huggingface_hub.utils.validate_repo_id(repository)
    except huggingface_hub.errors.HFValidationError as error:
        raise UserError(f"{repository}: no name of a repository; write USER/NAME.") from error
    if "/" not in repository:
        raise UserError(f"{repository}: whose? Write USER/{repository}.")
    api = huggingface_hub.HfApi(token=token)
    try:
        # Told soon where there is no hub; an upload may take its time.
        with impatient_hub():
            api.create_repo(repository, private=not public, exist_ok=True)
        done = api.upload_folder(
            folder_path=folder,
            repo_id=repository,
            commit_message=f"Upload {folder.name}",
            # TensorBoard's files tell of the machine; hidden files are for nobody else.
            ignore_patterns=["logs/*", ".*", "*/.*"],
        )
    except (
        Unavailable,
        huggingface_hub.errors.HfHubHTTPError,
        requests.RequestException,
        ValueError,
        OSError,
        # Of an upload that was tried several times.
        RuntimeError,
    ) as error:
        raise UserError(
            f"{repository} cannot be written to {huggingface_hub.constants.ENDPOINT} "
            f"({reason_of(error)}). What is there is as it was, or a new empty repository; run again."
        ) from error
    msg.good(f"{folder} is at {done}")


if __name__ == "__main__":
    from .common.old_names import run_module

    run_module(__spec__.name)
