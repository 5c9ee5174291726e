"""Train a tokenizer on raw text: `python -m scripts.encoders.train_tokenizer TEXT OUTPUT`.

WordPiece as DistilBERT and BERT have it (Schuster and Nakajima 2012), or unigram as CamemBERT
(Kudo 2018), in a folder that transformers and spacy-transformers load.
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
from .tokenizer_fixes import MASK, with_unigram_names


def train_wordpiece(lines: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """Return a cased WordPiece tokenizer with BERT's special tokens.

    Between equally frequent pieces `tokenizers` chooses otherwise from run to run.
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
    """Return a unigram tokenizer with CamemBERT's special tokens, its pieces with a ▁ at the start of
    words. WhitespaceSplit before Metaspace: with Metaspace alone pieces would cover the space."""
    special = ["<s>", "<pad>", "</s>", "<unk>", MASK]
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
    # No token types: DistilBERT takes none, and CamemBERT has but one.
    return with_unigram_names(tokenizer, model_input_names=["input_ids", "attention_mask"])


TRAINERS = {"wordpiece": train_wordpiece, "unigram": train_unigram}


def measure(lines: Iterable[str], tokenizer: PreTrainedTokenizerBase) -> dict[str, float]:
    """Return, for held-out text: pieces per word (fertility), the share of pieces that are unknown,
    and the share of lines that come back from their ids, white space aside."""
    words = pieces = unknown = same = count = 0
    for line in lines:
        ids = tokenizer(line, add_special_tokens=False, truncation=False, verbose=False)[
            "input_ids"
        ]
        count += 1
        words += len(line.split())
        pieces += len(ids)
        unknown += ids.count(tokenizer.unk_token_id)
        same += "".join(tokenizer.decode(ids).split()) == "".join(line.split())
    return {
        "fertility": pieces / words,
        "unknown": unknown / pieces,
        "round_trip": same / count,
    }


def train_tokenizer(
    text: Path, output: Path, kind: str, size: int, encoding: str | None, reference: str
) -> None:
    """Train a tokenizer; print its fertility and unknown rate on text that it has not seen."""
    check_folder(output)
    other = open_tokenizer(reference) if reference else None
    n_lines, _ = measure_lines(text, encoding)
    tokenizer = TRAINERS[kind](split(read_lines(text, encoding), held_out=False), size)
    if len(tokenizer) < size:
        raise UserError(
            f"--size {size}: the text allows for {len(tokenizer)} pieces; give fewer, or more text."
        )
    measured = {str(output): tokenizer, **({reference: other} if other else {})}
    rows = []
    for name, measured_tokenizer in measured.items():
        found = measure(split(read_lines(text, encoding), held_out=True), measured_tokenizer)
        figures = (f"{found['fertility']:.3f}", f"{found['unknown']:.2%}")
        rows.append((name, f"{len(measured_tokenizer):,}", *figures, f"{found['round_trip']:.1%}"))
    with written_beside(output) as folder:
        tokenizer.save_pretrained(folder)
    header = ("on held-out text", "pieces", "pieces a word", "unknown", "lines that come back")
    msg.table(rows, header=header, divider=True, aligns=("l", "r", "r", "r", "r"), max_col=60)
    msg.good(f"{output}: {len(tokenizer):,} pieces from {n_lines:,} lines")


if __name__ == "__main__":
    from ..cli import run_module

    run_module(__spec__.name)
