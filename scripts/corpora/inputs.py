"""The files of a corpus: a single file, a folder's, or unpacked from an archive."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tqdm import tqdm

from ..common.errors import UserError
from ..common.files import check_whole
from ..common.rawfile import RawFile, is_archive, printable, unpack
from ..common.rawfolder import RawFolder
from ..common.split_names import find_files
from .examples import SPLITS, Example, Format, Log, Notes
from .options import Options


class Source(NamedTuple):
    """A file of a corpus, and its path relative to the corpus."""

    split: str
    file: RawFile
    relative: str


def check_options(name: str, format: Format, options: Options) -> None:
    """Raise UserError for an option that does not apply to the format."""
    for option, value in options._asdict().items():
        if value is not None and option not in format.options:
            available = ", ".join(f"--{field.replace('_', '-')}" for field in format.options)
            raise UserError(
                f"--{option.replace('_', '-')}: not an option of the format `{name}`; its options "
                f"are {available}."
            )


def check_beginnings(format: Format, sources: list[Source], options: Options) -> None:
    """Read the first example of each file, if there are several: one in another format, or with other
    columns, is refused before the first is read to its end."""
    for _, file, _ in sources if len(sources) > 1 else ():
        next(format.read(file, options, Log()), None)


def sources_of(
    format: Format,
    source: Path,
    language: str,
    split: str,
    options: Options,
    ignored: Notes,
    stack: ExitStack,
) -> list[Source]:
    """Return the files of a corpus, train first; a single file is used for `split`.

    Archives are unpacked into a temporary folder, which is deleted when `stack` closes.
    Raises UserError if there are no files, or if they are not of one complete corpus.
    """
    check_whole(source)
    root = top = source
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; fetch the corpus, or check the path.")
    if not (source.is_file() or source.is_dir()):
        raise UserError(f"{source}: neither a file nor a folder; give the path of one.")
    if source.is_file() and is_archive(source):
        if not format.members:
            raise UserError(
                f"{source}: archives are not supported by this format; unpack it and give its "
                "folder."
            )
        root = Path(stack.enter_context(TemporaryDirectory()))
        unpack(source, root, lambda name: format.members(name, language))
        if not any(root.iterdir()):
            raise UserError(
                f"{source}: no corpus files found; file names must contain train or test, in a "
                f"folder named {language!r}."
            )
        # The top folder of an archive is not part of relative paths.
        top = next(root.iterdir()) if len(list(root.iterdir())) == 1 else root
    if root.is_dir():
        find = format.find or (lambda folder, *_: find_files(folder, ignored.add))
        try:
            files = find(root, language, options, ignored)
        except UserError as error:
            raise UserError(str(error).replace(str(root), str(source))) from error
        for locations in ignored.locations.values():
            locations[:] = [x.replace(str(root), str(source)) for x in locations]
    elif options.category is not None:
        raise UserError(
            "--category: selects a folder of the corpus; give the path of the whole corpus."
        )
    else:
        files = {split: [source]}
    if not files:
        raise UserError(
            f"{source}: no corpus files found; file names must contain train, dev, valid, testa or "
            "test, or give a single file, with --split if it is not train (--dev-ratio and --test-ratio "
            "carve the others from train)."
        )
    sources = []
    for name in sorted(files, key=SPLITS.index):
        for path in files[name]:
            kind = RawFolder if path.is_dir() else RawFile
            file = kind(path, options.encoding, str(source / path.relative_to(root)))
            relative = path.name if path == top else path.relative_to(top).as_posix()
            sources.append(Source(name, file, printable(relative)))
    return sources


def show_progress(file: RawFile, examples: Iterator[Example], verb: str) -> Iterator[Example]:
    """Yield the examples of a file, with a progress bar over its bytes or files."""
    with tqdm(
        total=file.size,
        desc=f"{verb} {Path(file.name).name}",
        unit=file.measure,
        unit_scale=True,
    ) as bar:
        for number, example in enumerate(examples):
            if number % 1000 == 0:
                bar.update(file.position() - bar.n)
            yield example
        bar.update(file.size - bar.n)
