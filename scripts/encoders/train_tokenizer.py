"""Train a tokenizer on raw text: `python -m scripts train-tokenizer TEXT OUTPUT`.

WordPiece, as in BERT and DistilBERT (Schuster and Nakajima 2012), or unigram, as in CamemBERT (Kudo
2018). transformers and spacy-transformers load the resulting folder.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import DistilBertTokenizerFast, PreTrainedTokenizerBase, PreTrainedTokenizerFast
from wasabi import msg

from ..common.errors import UserError
from ..common.files import check_folder, written_beside
from ..common.raw_text import measure_lines, read_lines, split
from .checkpoint import open_tokenizer
from .tokenizer_fixes import MASK_TOKEN, wrap_unigram


def train_wordpiece(lines: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Return a cased WordPiece tokenizer with BERT's special tokens.

    Not reproducible: `tokenizers` breaks ties between equally frequent pieces at random.
    """
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=special, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return DistilBertTokenizerFast(
        tokenizer_object=tokenizer, do_lower_case=False, model_max_length=512
    )


def train_unigram(lines: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Return a unigram tokenizer with CamemBERT's special tokens; ▁ marks the start of a word.

    WhitespaceSplit comes before Metaspace, which alone would include spaces in the offsets.
    """
    special = ["<s>", "<pad>", "</s>", "<unk>", MASK_TOKEN]
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<s>", "</s>")],
    )
    # No token_type_ids: DistilBERT does not accept them, and CamemBERT has a single type.
    return wrap_unigram(tokenizer, model_input_names=["input_ids", "attention_mask"])


TRAINERS = {"wordpiece": train_wordpiece, "unigram": train_unigram}


def measure(lines: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Return a tokenizer's figures on held-out lines.

    fertility: pieces per word. unknown: the share of unknown pieces. round_trip: the share of lines
    that are restored by decoding their ids, white space aside.
    """
    words = pieces = unknown = restored = count = 0
    for line in lines:
        ids = tokenizer(line, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]
        count += 1
        words += len(line.split())
        pieces += len(ids)
        unknown += ids.count(tokenizer.unk_token_id)
        restored += "".join(tokenizer.decode(ids).split()) == "".join(line.split())
    return {
        "fertility": pieces / words,
        "unknown": unknown / pieces,
        "round_trip": restored / count,
    }


def train_tokenizer(
    text: Path, output: Path, kind: str, size: int, encoding: str | None, reference: str
) -> None:
    """Train a tokenizer; print its figures on held-out text, next to those of a reference.

    Raises UserError.
    """
    check_folder(output)
    reference_tokenizer = open_tokenizer(reference) if reference else None
    n_lines, _ = measure_lines(text, encoding)
    tokenizer = TRAINERS[kind](split(read_lines(text, encoding), held_out=False), size)
    if len(tokenizer) < size:
        raise UserError(
            f"--size {size}: the text yields only {len(tokenizer)} pieces; give a smaller --size, "
            "or more text."
        )
    tokenizers = {str(output): tokenizer}
    if reference_tokenizer:
        tokenizers[reference] = reference_tokenizer
    rows = []
    for name, measured in tokenizers.items():
        figures = measure(split(read_lines(text, encoding), held_out=True), measured)
        shares = (f"{figures['unknown']:.2%}", f"{figures['round_trip']:.1%}")
        rows.append((name, f"{len(measured):,}", f"{figures['fertility']:.3f}", *shares))
    with written_beside(output) as folder:
        tokenizer.save_pretrained(folder)
    header = ("on held-out text", "pieces", "pieces per word", "unknown", "lines restored")
    msg.table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "r"), max_col=60)
    msg.good(f"{output}: {len(tokenizer):,} pieces from {n_lines:,} lines")


if __name__ == "__main__":
    from ..common.old_names import run_module

    run_module(__spec__.name)
