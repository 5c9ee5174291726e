"""One conversion: the files of a corpus to DocBin and a report that accounts for all of it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import srsly
from tqdm import tqdm

from ..errors import UserError
from ..files import remove, sha256, written_beside
from . import FORMATS
from .examples import SPLITS, Example, Format, LabelledText, Log, Notes, Options
from .raw import RawFile
from .seen import SeenTexts, keys
from .sources import Source, check_options, sources_of
from .splits import Carver
from .writer import EMPTY, BlankPipeline, SplitWriter

# More are no labels but an id or the text itself.
MAX_LABELS = 1000
DUPLICATE = "duplicate in its split, dropped"
LEAK = "text of a later split, dropped"
LEFT_OUT = "left out by --train-size"
EMPTY_TOKEN = f"empty token, written as {EMPTY}"


class Plan(NamedTuple):
    """What the user wants of a conversion; ratios of None: the format's own."""

    split: str = "train"
    dev_ratio: float | None = None
    test_ratio: float | None = None
    train_size: int | None = None
    seed: int = 0
    drop_duplicates: bool = False
    drop_leaks: bool = False
    strict: bool = False


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

    def __init__(self, format: Format, sources: list[Source], options: Options, plan: Plan) -> None:
        self.format = format
        self.sources = sources
        self.options = options
        self.plan = plan
        self.labels = format.labels or ()
        self.strata: Counter = Counter()
        self.ratios = self.resolve_ratios()

    def resolve_ratios(self) -> dict[str, float]:
        splits = {source.split for source in self.sources}
        plan, format = self.plan, self.format
        ratios = {"dev": plan.dev_ratio, "test": plan.test_ratio}
        default = {"dev": format.dev_ratio, "test": format.test_ratio}
        where = self.sources[0].file
        for name, ratio in ratios.items():
            if ratio and name in splits:
                raise UserError(
                    f"{where}: the corpus has a {name} split: leave --{name}-ratio out."
                )
            if ratio is None:
                ratios[name] = default[name] if "train" in splits and name not in splits else 0.0
        if (any(ratios.values()) or plan.train_size is not None) and "train" not in splits:
            raise UserError(f"{where}: no train split to carve from.")
        return ratios

    @property
    def carves(self) -> bool:
        return any(self.ratios.values()) or self.plan.train_size is not None

    def count(self) -> None:
        """Read all once: the size of each stratum of train, and the labels if only the data tell."""
        labels: Counter = Counter()
        kinds: Counter = Counter()
        for split, file in self.sources:
            if split != "train" and self.format.labels is not None:
                continue
            for example in bar(file, self.format.read(file, self.options, Log()), "count"):
                kinds[isinstance(example, LabelledText)] += 1
                if isinstance(example, LabelledText) and self.format.labels is None:
                    labels.update(example.categories)
                    if len(labels) > MAX_LABELS:
                        raise UserError(
                            f"{file.place(example.number)}: over {MAX_LABELS:,} different labels, "
                            f"such as {example.label[:40]!r}; is this the label column?"
                        )
                if len(kinds) == 2:
                    raise UserError(
                        f"{file.place(example.number)}: labels and entities in one corpus; "
                        "convert them one by one."
                    )
                if split == "train":
                    self.strata[example.stratum] += 1
        if labels:
            self.labels = tuple(sorted(labels))

    def assigned(self, logs: dict[str, Log], verb: str) -> Iterator[tuple[Source, Example, str]]:
        """Yield each example with its file and the split that it goes to, "" for none.

        The same every time: the carving is seeded.
        """
        plan = self.plan
        carver = None
        if self.carves and self.strata:
            carver = Carver(
                self.strata,
                self.ratios["dev"],
                self.ratios["test"],
                plan.train_size,
                plan.seed,
                self.sources[0].file,
            )
        for source in self.sources:
            split, file = source
            log = logs.setdefault(file.name, Log(plan.strict))
            for example in bar(file, self.format.read(file, self.options, log), verb):
                carved = carver is not None and split == "train"
                yield (
                    source,
                    example,
                    (carver.draw(example.stratum) or "") if carved else split,
                )

    def write(self, folder: Path, pipeline: BlankPipeline) -> dict[str, object]:
        """Write the splits into `folder`; return what the report says of files and splits."""
        plan = self.plan
        seen = SeenTexts(SPLITS)
        if plan.drop_leaks:
            for _, example, split in self.assigned({}, "look for leaks in"):
                if split in ("dev", "test"):
                    seen.hold(split, keys(example)[0])
        logs: dict[str, Log] = {}
        written: dict[str, Counter] = {source.file.name: Counter() for source in self.sources}
        writers: dict[str, SplitWriter] = {}
        for (_, file), example, split in self.assigned(logs, "write"):
            log, place = logs[file.name], file.place(example.number)
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
                for _ in range(writers[split].add(example, place)):
                    log.repair(EMPTY_TOKEN, place)
                seen.add(split, text, annotation)
                written[file.name][split] += 1
        self.check(writers, logs)
        for writer in writers.values():
            writer.close()
        ordered = [writers[name] for name in SPLITS if name in writers]
        again, shared, several = seen.report([writer.name for writer in ordered])
        read = {}
        for _, file in self.sources:
            log, counts = logs[file.name], written[file.name]
            read[file.name] = {
                "examples": sum(counts.values()) + sum(log.skipped.counts.values()),
                "written": dict(counts),
                "skipped": log.skipped.to_json(),
                "repaired": log.repaired.to_json(),
                "lines": dict(log.lines),
                "layout": {"encoding": file.encoding, **log.layout},
                "sha256": sha256(file.path),
            }
        return {
            "read": read,
            "splits": {w.name: {**w.report(), "duplicates": again[w.name]} for w in ordered},
            "shared": shared,
            "texts annotated in several ways": several,
        }

    def check(self, writers: dict[str, SplitWriter], logs: dict[str, Log]) -> None:
        """Raise UserError for a corpus that nothing can be learnt from."""
        where = self.sources[0].file
        # Of train, if there is one: that is what is learnt from.
        some = [writers["train"]] if "train" in writers else list(writers.values())
        counts: Counter = sum((writer.counts for writer in some), Counter())
        if not writers:
            skipped = {k: n for log in logs.values() for k, n in log.skipped.counts.items()}
            why = "; ".join(f"{n:,} {kind}" for kind, n in skipped.items()) or "the file is empty"
            raise UserError(f"{where}: no example in it ({why}); is this the right format?")
        if not self.labels and not counts:
            raise UserError(
                f"{where}: no entity in it, every tag is O; is this the right column or file?"
            )
        if self.labels and len(counts) < 2:
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

    A folder's files tell their splits by their names; a file becomes `plan.split`. Dev and test
    splits that the input does not have are carved from train, stratified by label. Nothing is
    written unless all is read.

    Raises UserError for input that cannot be read as this format.
    """
    format = FORMATS[name]
    check_options(name, format, options)
    ignored = Notes()
    with ExitStack() as stack:
        sources = sources_of(format, source, language, plan.split, options, ignored, stack)
        conversion = Conversion(format, sources, options, plan)
        pipeline = BlankPipeline(language)
        if conversion.carves or format.labels is None:
            conversion.count()
        folder = stack.enter_context(written_beside(output))
        report = {
            "format": name,
            "language": language,
            "seed": plan.seed,
            **conversion.write(folder, pipeline),
            "ignored": ignored.to_json(),
            "carved": {**conversion.ratios, "train_size": plan.train_size},
            "options": {k: v for k, v in options._asdict().items() if v is not None},
        }
        srsly.write_json(folder / "report.json", report)
    # What an earlier conversion left and this one has not.
    for stale in set(SPLITS) - set(report["splits"]):
        remove(output / f"{stale}.spacy")
    return report
