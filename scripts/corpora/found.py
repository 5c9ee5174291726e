"""What a corpus holds, before anything is written, and whether a model can be trained on it."""

from collections import Counter
from typing import TYPE_CHECKING

from ..common.errors import UserError
from .examples import Example, LabelledText, Log, SpannedText

if TYPE_CHECKING:
    from .inputs import Source
    from .writer import SplitWriter

# With more distinct values, the column is likely to hold ids or texts.
MAX_LABELS = 1000
# As many labels, each of a single text, are ids, translations or summaries.
ALL_DIFFERENT = 10
# Texts that are kept to recognise their language.
FIRST_TEXTS = 200


class Found:
    """What was counted in the files of a corpus."""

    def __init__(self, format: str) -> None:
        self.format = format
        self.examples: Counter[str] = Counter()
        self.labels: Counter[str] = Counter()
        self.kind: type[Example] | None = None
        # Whether texts may have several labels, or none.
        self.several = False
        self.unlabelled = 0
        # Why examples are left out, and how the files are written.
        self.skipped: Counter[str] = Counter()
        self.layout: dict[str, object] = {}
        self.texts: list[str] = []

    @property
    def task(self) -> str:
        """The component that learns this: ner, textcat or textcat_multilabel; "" of an empty corpus."""
        if self.kind is None:
            return ""
        if self.kind is not LabelledText:
            return "ner"
        return "textcat_multilabel" if self.several else "textcat"

    def add(self, split: str, example: Example, location: str) -> None:
        """Count an example. Raises UserError for labels and entities in one corpus."""
        if self.kind not in (None, type(example)):
            raise UserError(
                f"{location}: labels and entities in one corpus; convert them separately."
            )
        self.kind = type(example)
        self.examples[split] += 1
        if isinstance(example, LabelledText):
            self.several |= example.several or len(example.all_labels) > 1
            self.labels.update(example.all_labels)
            self.unlabelled += not example.all_labels
            if len(self.labels) > MAX_LABELS:
                raise UserError(
                    f"{location}: over {MAX_LABELS:,} distinct labels, such as "
                    f"{example.label[:40]!r}; check that this is the label column."
                )
            text = example.text
        elif isinstance(example, SpannedText):
            self.labels.update(label for _, _, label in example.spans)
            text = example.text
        else:
            self.labels.update(label for _, _, label in example.entities)
            text = " ".join(example.words) if len(self.texts) < FIRST_TEXTS else ""
        if len(self.texts) < FIRST_TEXTS:
            self.texts.append(text)

    def close(self, log: Log) -> None:
        """Finish a file, of which `log` was kept."""
        self.skipped.update(log.skipped.counts)
        self.layout.update({key: value for key, value in log.layout.items() if value})


def check_usable(
    writers: "dict[str, SplitWriter]",
    logs: dict[str, Log],
    sources: "list[Source]",
    labels: tuple[str, ...],
    one_is_enough: bool,
) -> None:
    """Raise UserError for a corpus that cannot be used for training.

    labels: of texts, () of a corpus with entities. one_is_enough: whether a single one can be learned.
    """
    where = sources[0].file
    # Only train matters, if there is one.
    relevant = [writers["train"]] if "train" in writers else list(writers.values())
    counts: Counter = sum((writer.counts for writer in relevant), Counter())
    skipped = sum((log.skipped.counts for log in logs.values()), Counter())
    why = "; ".join(f"{n:,} {kind}" for kind, n in skipped.items()) or "the file is empty"
    if not writers:
        raise UserError(f"{where}: no examples found ({why}); check the format.")
    if "train" in {source.split for source in sources} - set(writers):
        raise UserError(
            f"{where}: no examples left for train ({why}); check the files and options."
        )
    if not labels and not counts:
        raise UserError(
            f"{where}: no entities found, every tag is O or nothing is marked; check the file, and which "
            "column or key holds them."
        )
    if labels and len(counts) < 2 and not one_is_enough:
        raise UserError(
            f"{where}: all texts have the same label, {next(iter(counts))!r}, but a classifier "
            "needs two; check the label column and the file."
        )
    if labels and len(counts) >= ALL_DIFFERENT and max(counts.values()) == 1:
        raise UserError(
            f"{where}: no two texts have a label in common, such as {next(iter(counts))[:40]!r}; check that "
            "this is the column of labels."
        )
    counts = sum((writer.counts for writer in writers.values()), Counter())
    if len(counts) > MAX_LABELS:
        raise UserError(
            f"{where}: {len(counts):,} distinct labels, such as {next(iter(counts))[:40]!r}; "
            "check that this is the right column."
        )
