"""How many examples each label has, and in which splits."""

from collections import Counter
from collections.abc import Iterator, Sequence

from .findings import NOTE, SERIOUS, WARNING, Finding, Notes, Places, Text, in_words

CHECK = "labels"
# With fewer examples of a label, hardly any model learns it.
FEW = 10
# From this share of the texts on, always answering the most frequent label looks good.
ONE_SIDED = 0.8
# Kinds of labels, and what has one.
KINDS = {"label": "text with a label", "entity type": "entity with a type"}


class Labels:
    """Counts the labels of texts and the types of entities in each split."""

    def __init__(self, splits: Sequence[str]) -> None:
        self.texts = dict.fromkeys(splits, 0)
        # By kind, then split.
        self.counts = {kind: {split: Counter() for split in splits} for kind in KINDS}
        self.annotated = {kind: dict.fromkeys(splits, 0) for kind in KINDS}
        self.several = False
        self.notes = Notes()

    def add(self, text: Text) -> None:
        doc, split = text.doc, text.split
        labels = [label for label, value in doc.cats.items() if value]
        types = [entity.label_ for entity in doc.ents]
        self.texts[split] += 1
        self.several = self.several or len(labels) > 1
        for kind, found, annotated in (
            ("label", labels, bool(doc.cats)),
            ("entity type", types, bool(types) or doc.has_annotation("ENT_IOB")),
        ):
            self.annotated[kind][split] += annotated
            self.counts[kind][split].update(found)
            if not annotated:
                self.notes.add(f"{kind}, {split}: not annotated", text.place)
            for label in found if split != "train" else ():
                self.notes.add(f"{kind}, {split}: {label}", text.place)

    def findings(self, places: Places) -> Iterator[Finding]:
        for kind, splits in self.counts.items():
            if any(self.annotated[kind].values()):
                for split, counts in splits.items():
                    yield from self.of_split(kind, split, counts)
                if "train" in splits:
                    yield from self.of_train(kind, splits)

    def of_split(self, kind: str, split: str, counts: Counter[str]) -> Iterator[Finding]:
        """Yield how often each label occurs in a split, and how many texts are not annotated."""
        what = f"{split}: {KINDS[kind]}"
        yield Finding(NOTE, CHECK, what, counts.total(), [], in_words(counts))
        name = f"{kind}, {split}: not annotated"
        if self.notes.counts[name]:
            severity = WARNING if self.annotated[kind][split] else NOTE
            what = (
                f"{split}: text without annotation of {'labels' if kind == 'label' else 'entities'}"
            )
            yield self.notes.finding(severity, CHECK, name, what)

    def of_train(self, kind: str, splits: dict[str, Counter[str]]) -> Iterator[Finding]:
        """Yield what cannot be learnt from train, or not be measured elsewhere."""
        train = splits["train"]
        for split, counts in splits.items():
            unknown = Counter({label: n for label, n in counts.items() if label not in train})
            if unknown:
                label = next(iter(unknown))
                first = self.notes.places[f"{kind}, {split}: {label}"]
                what = f"{split}: {KINDS[kind]} that train does not have"
                yield Finding(SERIOUS, CHECK, what, unknown.total(), first, in_words(unknown))
            missing = Counter({label: n for label, n in train.items() if label not in counts})
            if missing and self.annotated[kind][split]:
                what = f"{kind} of train that {split} does not have, and cannot measure"
                yield Finding(WARNING, CHECK, what, len(missing), [], in_words(missing))
        few = Counter({label: n for label, n in train.items() if n < FEW})
        if few:
            what = f"{kind} with fewer than {FEW} examples in train"
            yield Finding(WARNING, CHECK, what, len(few), [], in_words(few))
        total = train.total()
        label, most = (train.most_common(1) or [("", 0)])[0]
        if kind == "label" and not self.several and most >= ONE_SIDED * total > 0:
            what = f"train: text with the label {label}: always to answer it is right in {most / total:.0%}"
            yield Finding(WARNING, CHECK, what, most)
