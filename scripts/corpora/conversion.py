"""Conversion of a corpus to DocBin, with a report that accounts for every example."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import srsly

from ..common.files import written_beside
from ..common.rawfile import is_archive
from .blank import BlankPipeline
from .duplicates import TextIndex, hash_example
from .examples import SPLITS, WITHOUT_LABEL, Example, LabelledText, Log, Notes, TaggedSentence
from .existing_splits import NO_SPLITS, ExistingSplits, find_existing_splits
from .found import Found, check_usable
from .groups import Rows
from .inputs import Source, check_beginnings, check_options, show_progress, sources_of
from .options import Options, Plan
from .plan import check_plan, ratios_of
from .readers import AUTO, FORMATS, recognise
from .splits import TARGETS, Carving, carve, sizes_of
from .writer import EMPTY, SplitWriter

DUPLICATE = "duplicate in its split, dropped"
LEAK = "text also in a later split, dropped"
LEFT_OUT = "left out by --train-size"
EMPTY_TOKEN = f"empty token, written as {EMPTY}"


class Conversion:
    """Converts a corpus in one pass, after a counting pass if splits are carved or labels depend on
    the data, and another one if leaks are dropped."""

    def __init__(
        self,
        name: str,
        sources: list[Source],
        options: Options,
        plan: Plan,
        existing: ExistingSplits,
    ) -> None:
        self.name = name
        self.format = format = FORMATS[name]
        self.sources = sources
        self.options = options
        self.plan = plan
        self.existing = existing
        self.labels = format.labels or ()
        # Whether texts may have several labels, or none.
        self.several = existing.several
        self.not_one = 0
        self.kind: type[Example] | None = LabelledText if format.labels else TaggedSentence
        self.ratios = ratios_of(plan, format, sources, existing)
        self.carving: Carving | None = None

    @property
    def carves(self) -> bool:
        return any(self.ratios.values()) or self.plan.train_size is not None

    def prepare(self, survey: bool) -> Found:
        """Carve splits from train, and collect the labels if they depend on the data; both need a
        counting pass. Return what was found in it: everything, if `survey`.

        Raises UserError for labels incompatible with the existing splits.
        """
        found = Found(self.name)
        if survey or self.carves or self.format.labels is None:
            self.count(found, survey)
        if self.kind is not None:
            self.labels = self.existing.check_labels(self.plan.split, self.labels, self.several)
        return found

    def count(self, found: Found, survey: bool) -> None:
        """Read the corpus once to count labels and to collect what carving needs."""
        plan = self.plan
        rows = Rows(self.format.phrases, plan.carve)
        for split, file, _ in self.sources:
            if split != "train" and self.format.labels is not None and not survey:
                continue
            start = len(rows)
            log = Log()
            for example in show_progress(file, self.format.read(file, self.options, log), "count"):
                found.add(split, example, file.location(example.number))
                if split == "train" and self.carves:
                    rows.add(file.name, example)
            found.close(log)
            rows.close(file.name, start, "sentence" if found.kind is TaggedSentence else "text")
        if self.format.labels is None:
            self.several = found.several = self.several or found.several
            self.kind = found.kind
            self.labels = tuple(sorted(found.labels)) if found.kind is LabelledText else ()
        if rows:
            where = self.sources[0].file
            given = {"dev": plan.dev_ratio, "test": plan.test_ratio}
            sizes = sizes_of(len(rows), self.ratios, {s for s in given if given[s]}, where)
            self.carving = carve(rows, sizes, plan.train_size, plan.seed, where, self.ratios)

    def read_assigned(
        self, logs: dict[str, Log], verb: str
    ) -> Iterator[tuple[Source, Example, str]]:
        """Yield each example with its file and the split it is assigned to, "" if left out; not texts
        without a label where each should have one."""
        targets = iter(memoryview(self.carving.assigned) if self.carving else ())
        for source in self.sources:
            split, file, _ = source
            log = logs.setdefault(file.name, Log(self.plan.strict))
            for example in show_progress(file, self.format.read(file, self.options, log), verb):
                carved = self.carving is not None and split == "train"
                target = TARGETS[next(targets)] if carved else split
                if (
                    isinstance(example, LabelledText)
                    and not example.all_labels
                    and not self.several
                ):
                    log.skip(WITHOUT_LABEL, file.location(example.number))
                else:
                    yield source, example, target

    def write(self, folder: Path, pipeline: BlankPipeline) -> dict[str, object]:
        """Write the splits into `folder`; return the report on files and splits."""
        plan = self.plan
        index = TextIndex(SPLITS)
        for split in self.existing.splits if self.kind else ():
            for example in self.existing.examples(split, self.kind):
                text, annotation = hash_example(example)
                index.add(split, text, annotation)
                if plan.drop_leaks:
                    index.protect(split, text)
        if plan.drop_leaks:
            for _, example, split in self.read_assigned({}, "find leaks in"):
                if split in ("dev", "test"):
                    index.protect(split, hash_example(example)[0])
        logs: dict[str, Log] = {}
        written: dict[str, Counter] = {source.file.name: Counter() for source in self.sources}
        writers: dict[str, SplitWriter] = {}
        for (_, file, relative), example, split in self.read_assigned(logs, "write"):
            log, location = logs[file.name], file.location(example.number)
            text, annotation = hash_example(example)
            if not split:
                log.skip(LEFT_OUT, location)
            elif plan.drop_leaks and index.is_leak(split, text):
                log.skip(LEAK, location)
            elif plan.drop_duplicates and not index.is_first(split, text):
                log.skip(DUPLICATE, location)
            else:
                if split not in writers:
                    writers[split] = SplitWriter(folder, split, pipeline, self.labels)
                origin, number = file.origin(relative, example.number)
                example = example._replace(number=number)
                for _ in range(writers[split].add(example, location, origin)):
                    log.repair(EMPTY_TOKEN, location)
                index.add(split, text, annotation)
                if isinstance(example, LabelledText) and len(example.all_labels) != 1:
                    self.not_one += 1
                written[file.name][split] += 1
        # A test split added to an existing train split may have only one label.
        one_is_enough = self.several or "train" in self.existing.splits
        check_usable(writers, logs, self.sources, self.labels, one_is_enough)
        for writer in writers.values():
            writer.close()
        return self.report(writers, logs, written, index)

    def report(
        self,
        writers: dict[str, SplitWriter],
        logs: dict[str, Log],
        written: dict[str, Counter],
        index: TextIndex,
    ) -> dict[str, object]:
        """Return the report on all files and splits, new and existing."""
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
                "sha256": file.digest(),
            }
        requested = self.carving.requested if self.carving else {}
        splits = dict(self.existing.splits)
        for name, writer in writers.items():
            # A carved split is replaced together with the train split that it came from.
            splits[name] = {"from": "train" if name in requested else name, **writer.report()}
        splits = {name: splits[name] for name in SPLITS if name in splits}
        duplicates, shared, different = index.report(list(splits))
        return {
            "read": self.existing.merge_read(read),
            "splits": {name: {**splits[name], "duplicates": duplicates[name]} for name in splits},
            "several labels": bool(self.labels) and self.several,
            "texts with several labels or none": self.not_one,
            "shared": shared,
            "texts annotated in several ways": different,
            **self.carved(),
        }

    def carved(self) -> dict[str, object]:
        """Return the report on the carving, which may be that of an existing train split."""
        if "train" in self.existing.splits:
            return {key: self.existing.report[key] for key in ("seed", "carved")}
        carving = self.carving
        return {
            "seed": self.plan.seed,
            "carved": {
                **self.ratios,
                "train_size": self.plan.train_size,
                "by": carving.by if carving else None,
                "asked": carving.requested if carving else {},
                "came out": carving.sizes if carving else {},
                "texts in several splits": carving.leaked if carving else 0,
            },
        }


def begin(
    name: str,
    source: Path,
    output: Path | None,
    language: str,
    plan: Plan,
    options: Options,
    ignored: Notes,
    stack: ExitStack,
) -> Conversion:
    """Return the conversion of a corpus, in the format that is recognised if `name` is AUTO.

    output: the folder whose other splits are kept; None to consider none. `stack` holds what is to be
    deleted at the end. Raises UserError.
    """
    if name == AUTO:
        name = recognise(source, options.encoding, options.columns, options.text_column)
    format = FORMATS[name]
    check_options(name, format, options)
    sources = sources_of(format, source, language, plan.split, options, ignored, stack)
    check_plan(plan, sources)
    check_beginnings(format, sources, options)
    kept = plan.split if source.is_file() and not is_archive(source) else None
    existing = find_existing_splits(output, kept, language) if output else NO_SPLITS
    return Conversion(name, sources, options, plan, existing)


def look(name: str, source: Path, language: str, plan: Plan, options: Options) -> Found:
    """Return what a corpus holds, without writing anything. Raises UserError as `convert` does."""
    with ExitStack() as stack:
        conversion = begin(name, source, None, language, plan, options, Notes(), stack)
        return conversion.prepare(survey=True)


def convert(
    name: str,
    source: Path,
    output: Path,
    language: str,
    plan: Plan = Plan(),
    options: Options = Options(),
    announce: Callable[[Found], None] | None = None,
) -> dict[str, object]:
    """Convert a corpus in the format `name`, or in that which is recognised if it is AUTO: write
    {train,dev,test}.spacy, as far as available, and report.json into `output`. Returns the report.

    announce: is given what the corpus holds, before anything is written; it may raise UserError.

    A folder or archive is a complete corpus: splits are identified by file name, and those that it
    lacks are removed from `output`. A single file becomes `plan.split`, and the other splits in
    `output` are kept, except those carved from a train split that it replaces. Missing dev and test
    splits are carved from train, stratified by label. Nothing is written until everything has been
    read.

    Raises UserError for input that is not in this format, or not compatible with existing splits.
    """
    ignored = Notes()
    with ExitStack() as stack:
        conversion = begin(name, source, output, language, plan, options, ignored, stack)
        existing = conversion.existing
        pipeline = BlankPipeline(language)
        found = conversion.prepare(survey=announce is not None)
        if announce:
            announce(found)
        # Splits of an earlier conversion that are not part of this corpus are deleted.
        owned = {f"{split}.spacy" for split in SPLITS if split not in existing.splits}
        folder = stack.enter_context(written_beside(output, owned))
        report = {"language": language, **conversion.write(folder, pipeline)}
        report["ignored"] = {**existing.report.get("ignored", {}), **ignored.to_json()}
        stale = [s for s in SPLITS if s not in report["splits"]]
        report["removed"] = [s for s in stale if (output / f"{s}.spacy").exists()]
        srsly.write_json(folder / "report.json", report)
    return report
