"""Make the demo's encoder: multilingual-e5-small, trimmed to French and English."""

from pathlib import Path

from wasabi import msg

from ..common.errors import UserError
from .trim import trim
from .unpack_e5 import unpack_e5

LANGUAGES = ["fr", "en"]


def demo_encoder(output: Path, encoder: str, pieces: int, downloads: Path) -> None:
    """Write the demo's encoder to `output`, unless the demo uses another `encoder`.

    pieces: the size of the trimmed vocabulary. Raises UserError if a download fails.
    """
    if Path(encoder) != output:
        msg.info(f"the demo uses {encoder}, so {output} is not needed")
        return
    unpacked = output.with_name("e5-small")
    try:
        unpack_e5(unpacked, downloads)
    except UserError as error:
        raise UserError(
            f"{error} Or run the demo with another encoder: --vars.encoder_demo my/folder."
        ) from error
    trim(str(unpacked), output, LANGUAGES, None, pieces, None, None, "", True)
