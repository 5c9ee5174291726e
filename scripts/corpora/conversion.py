"""One conversion: the files of a corpus to DocBin and a report that accounts for all of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import srsly
from tqdm import tqdm

from ..common.errors import UserError
from ..common.files import sha256, written_beside
from ..common.rawfile import RawFile, is_archive
from . import FORMATS
from .blank import BlankPipeline
from .duplicates import SeenTexts, keys
from .examples import SPLITS, Example, LabelledText, Log, Notes, TaggedSentence
from .inputs import Source, check_options, sources_of
from .kept import Kept, kept_beside
from .options import Options, Plan
from .plan import check_plan, ratios_of
from .splits import PLACES, Carving, carve, sizes_of
from .units import Rows
from .writer import EMPTY, SplitWriter

# More are no labels but an id or the text itself.
MAX_LABELS = 1000
DUPLICATE = "duplicate in its split, dropped"
LEAK = "text of a later split, dropped"
LEFT_OUT = "left out by --train-size"
EMPTY_TOKEN = f"empty token, written as {EMPTY}"


def bar(file: RawFile, examples: Iterator[Example], verb: str) -> Iterator[Example]:
    """Pass examples on, with a progress bar over the bytes of their file."""
    with tqdm(
        total=file.size,
        desc=f"{verb} {Path(file.name).name}",
        unit="B",
        unit_scale=True,
    ) as b:
        for number, example in enumerate(examples):
            if number % 1000 == 0:
                b.update(file.position() - b.n)
            yield example
        b.update(file.size - b.n)


class Conversion:
    """Reads a corpus once to count where that is needed (splits to carve, labels to find out,
    leaks to drop), and once to write."""

    def __init__(
        self, name: str, sources: list[Source], options: Options, plan: Plan, kept: Kept
    ) -> None:
        self.name = name
        self.format = format = FORMATS[name]
        self.sources = sources
        self.options = options
        self.plan = plan
        self.kept = kept
        self.labels = format.labels or ()
        self.kind: type[Example] | None = LabelledText if format.labels else TaggedSentence
        self.ratios = ratios_of(plan, format, sources, kept)
        self.carving: Carving | None = None

    @property
    def carves(self) -> bool:
        return any(self.ratios.values()) or self.plan.train_size is not None

    def prepare(self) -> None:
        """Decide what of train goes where, and find the labels where only the data tell: for these
        all is read once. Raises UserError for labels that do not go with the splits that stay."""
        if self.carves or self.format.labels is None:
            self.count()
        if self.kind is not None:
            self.labels = self.kept.check(self.plan.split, self.labels)

    def count(self) -> None:
        plan = self.plan
        labels: Counter = Counter()
        kinds: Counter = Counter()
        rows = Rows(self.format.phrases)
        for split, file, _ in self.sources:
            if split != "train" and self.format.labels is not None:
                continue
            start = len(rows)
            for example in bar(file, self.format.read(file, self.options, Log()), "count"):
                kinds[type(example)] += 1
                if isinstance(example, LabelledText) and self.format.labels is None:
                    labels.update(example.own_labels)
                    if len(labels) > MAX_LABELS:
                        raise UserError(
                            f"{file.location(example.number)}: over {MAX_LABELS:,} different labels, "
                            f"such as {example.label[:40]!r}; is this the label column?"
                        )
                if len(kinds) == 2:
                    raise UserError(
                        f"{file.location(example.number)}: labels and entities in one corpus; "
                        "convert them one by one."
                    )
                if split == "train" and self.carves:
                    rows.add(file.name, example)
            rows.close(file.name, start, "sentence" if TaggedSentence in kinds else "text")
        if self.format.labels is None:
            self.labels = tuple(sorted(labels))
            self.kind = next(iter(kinds), None)
        if rows:
            where = self.sources[0].file
            asked = {"dev": plan.dev_ratio, "test": plan.test_ratio}
            sizes = sizes_of(len(rows), self.ratios, {s for s in asked if asked[s]}, where)
            self.carving = carve(rows, sizes, plan.train_size, plan.seed, where)

    def assigned(self, logs: dict[str, Log], verb: str) -> Iterator[tuple[Source, Example, str]]:
        """Yield each example with its file and the split that it goes to, "" for none."""
        places = iter(memoryview(self.carving.places) if self.carving else ())
        for source in self.sources:
            split, file, _ = source
            log = logs.setdefault(file.name, Log(self.plan.strict))
            for example in bar(file, self.format.read(file, self.options, log), verb):
                carved = self.carving is not None and split == "train"
                yield source, example, PLACES[next(places)] if carved else split

    def write(self, folder: Path, pipeline: BlankPipeline) -> dict[str, object]:
        """Write the splits into `folder`; return what the report says of files and splits."""
        plan = self.plan
        seen = SeenTexts(SPLITS)
        for split in self.kept.splits if self.kind else ():
            for example in self.kept.examples(split, self.kind):
                text, annotation = keys(example)
                seen.add(split, text, annotation)
                if plan.drop_leaks:
                    seen.hold(split, text)
        if plan.drop_leaks:
            for _, example, split in self.assigned({}, "look for leaks in"):
                if split in ("dev", "test"):
                    seen.hold(split, keys(example)[0])
        logs: dict[str, Log] = {}
        written: dict[str, Counter] = {source.file.name: Counter() for source in self.sources}
        writers: dict[str, SplitWriter] = {}
        for (_, file, within), example, split in self.assigned(logs, "write"):
            log, place = logs[file.name], file.location(example.number)
            text, annotation = keys(example)
            if not split:
                log.skip(LEFT_OUT, place)
            elif plan.drop_leaks and seen.leaks(split, text):
                log.skip(LEAK, place)
            elif plan.drop_duplicates and not seen.first(split, text):
                log.skip(DUPLICATE, place)
            else:
                if split not in writers:
                    writers[split] = SplitWriter(folder, split, pipeline, self.labels)
                for _ in range(writers[split].add(example, place, within)):
                    log.repair(EMPTY_TOKEN, place)
                seen.add(split, text, annotation)
                written[file.name][split] += 1
        self.check(writers, logs)
        for writer in writers.values():
            writer.close()
        return self.report(writers, logs, written, seen)

    def report(
        self,
        writers: dict[str, SplitWriter],
        logs: dict[str, Log],
        written: dict[str, Counter],
        seen: SeenTexts,
    ) -> dict[str, object]:
        """Return what is to say of all splits: those written now, and those that stay."""
        read = {}
        for split, file, _ in self.sources:
            log, counts = logs[file.name], written[file.name]
            read[file.name] = {
                "format": self.name,
                "split": split,
                "examples": sum(counts.values()) + sum(log.skipped.counts.values()),
                "written": dict(counts),
                "skipped": log.skipped.to_json(),
                "repaired": log.repaired.to_json(),
                "lines": dict(log.lines),
                "layout": {"encoding": file.encoding, **log.layout},
                "options": {k: v for k, v in self.options._asdict().items() if v is not None},
                "sha256": sha256(file.path),
            }
        asked = self.carving.asked if self.carving else {}
        splits = dict(self.kept.splits)
        for name, writer in writers.items():
            # A split that was carved goes when the train split that it is of is replaced.
            splits[name] = {"from": "train" if name in asked else name, **writer.report()}
        splits = {name: splits[name] for name in SPLITS if name in splits}
        again, shared, several = seen.report(list(splits))
        return {
            "read": self.kept.reads(read),
            "splits": {name: {**splits[name], "duplicates": again[name]} for name in splits},
            "shared": shared,
            "texts annotated in several ways": several,
            **self.carved(),
        }

    def carved(self) -> dict[str, object]:
        """Return what the report says of the carving: that of the train split, also where it
        stays."""
        if "train" in self.kept.splits:
            return {key: self.kept.report[key] for key in ("seed", "carved")}
        carving = self.carving
        return {
            "seed": self.plan.seed,
            "carved": {
                **self.ratios,
                "train_size": self.plan.train_size,
                "by": carving.unit if carving else None,
                "asked": carving.asked if carving else {},
                "came out": carving.sizes if carving else {},
                "texts in several splits": carving.torn if carving else 0,
            },
        }

    def check(self, writers: dict[str, SplitWriter], logs: dict[str, Log]) -> None:
        """Raise UserError for a corpus that nothing can be learnt from."""
        where = self.sources[0].file
        # Of train, if there is one: that is what is learnt from.
        some = [writers["train"]] if "train" in writers else list(writers.values())
        counts: Counter = sum((writer.counts for writer in some), Counter())
        skipped = sum((log.skipped.counts for log in logs.values()), Counter())
        why = "; ".join(f"{n:,} {kind}" for kind, n in skipped.items()) or "the file is empty"
        if not writers:
            raise UserError(f"{where}: no example in it ({why}); is this the right format?")
        if "train" in {source.split for source in self.sources} - set(writers):
            raise UserError(f"{where}: nothing is left to train on ({why}).")
        if not self.labels and not counts:
            raise UserError(
                f"{where}: no entity in it, every tag is O; is this the right column or file?"
            )
        # Beside a train split that stays, a test split may well have one label.
        if self.labels and len(counts) < 2 and "train" not in self.kept.splits:
            raise UserError(
                f"{where}: all texts have the one label {next(iter(counts))!r}; a classifier needs "
                "two. Is this the right column or file?"
            )
        counts = sum((writer.counts for writer in writers.values()), Counter())
        if len(counts) > MAX_LABELS:
            raise UserError(
                f"{where}: {len(counts):,} different labels, such as {next(iter(counts))[:40]!r}; "
                "is this the right column?"
            )


def convert(
    name: str,
    source: Path,
    output: Path,
    language: str,
    plan: Plan = Plan(),
    options: Options = Options(),
) -> dict[str, object]:
    """Write {train,dev,test}.spacy as present and report.json into `output`; return the report.
    `name` is that of a format.

    A folder or an archive is the whole corpus: its files tell their splits by their names, and
    splits that it does not have are removed from `output`. A file becomes `plan.split`, and the
    other splits in `output` stay, unless they were carved from the train split that it replaces.
    Dev and test splits that there are not are carved from train, stratified by label. Nothing is
    written unless all is read.

    Raises UserError for input that cannot be read as this format, or that does not go with the
    splits that stay.
    """
    format = FORMATS[name]
    check_options(name, format, options)
    ignored = Notes()
    with ExitStack() as stack:
        sources = sources_of(format, source, language, plan.split, options, ignored, stack)
        check_plan(plan, sources)
        alone = source.is_file() and not is_archive(source)
        kept = kept_beside(output, plan.split if alone else None, language)
        conversion = Conversion(name, sources, options, plan, kept)
        pipeline = BlankPipeline(language)
        conversion.prepare()
        # Splits that an earlier conversion left and this one has not are no part of the corpus.
        owned = {f"{split}.spacy" for split in SPLITS if split not in kept.splits}
        folder = stack.enter_context(written_beside(output, owned))
        report = {"language": language, **conversion.write(folder, pipeline)}
        report["ignored"] = {**kept.report.get("ignored", {}), **ignored.to_json()}
        stale = [s for s in SPLITS if s not in report["splits"]]
        report["removed"] = [s for s in stale if (output / f"{s}.spacy").exists()]
        srsly.write_json(folder / "report.json", report)
    return report
