"""What encoders made from another one share: a card that names it, and a table of what is saved."""

from pathlib import Path

from transformers import PreTrainedModel
from wasabi import msg


def weights_size(folder: Path) -> int:
    """Return the size of a folder's safetensors in bytes, 0 if it has none."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def append_to_card(encoder: str, card: str) -> str:
    """Append a model card to that of the original encoder, if it is a folder with one."""
    old = Path(encoder) / "README.md"
    if not old.is_file():
        return card
    return f"{old.read_text(encoding='utf8', errors='replace').rstrip()}\n\n{card.split('---')[-1].strip()}\n"


def sizes(model: PreTrainedModel) -> dict[str, int]:
    """Return the number of parameters of a model, and of its word embeddings."""
    return {
        "parameters": model.num_parameters(),
        "word embeddings": model.get_input_embeddings().weight.numel(),
    }


def print_savings(
    before: dict[str, int], after: dict[str, int], encoder: str, output: Path
) -> None:
    """Print a table of what an encoder, and what was made of it, consist of, with the size on disk."""
    rows = [
        (name, f"{old:,}", f"{after[name]:,}", f"{after[name] / old:.1%}")
        for name, old in before.items()
    ]
    # The file size of an encoder on the hub is not known; assume float32.
    old = weights_size(Path(encoder)) or 4 * before["parameters"]
    new = weights_size(output)
    rows.append(("MB of weights", f"{old / 1e6:,.0f}", f"{new / 1e6:,.0f}", f"{new / old:.1%}"))
    msg.table(rows, header=("", "before", "after", ""), divider=True, aligns=("l", "r", "r", "r"))
