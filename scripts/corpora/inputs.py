"""The files of a corpus: given, found in a folder, or unpacked from an archive."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from ..common.errors import UserError
from ..common.files import check_whole
from ..common.rawfile import RawFile, find_files, is_archive, printable, unpack
from .examples import SPLITS, Format, Notes
from .options import Options


class Source(NamedTuple):
    """A file of a corpus, and its path within it."""

    split: str
    file: RawFile
    within: str


def check_options(name: str, format: Format, options: Options) -> None:
    for option, value in options._asdict().items():
        if value is not None and option not in format.options:
            heeded = ", ".join(f"--{taken.replace('_', '-')}" for taken in format.options)
            raise UserError(
                f"--{option.replace('_', '-')}: the format `{name}` has no such option; "
                f"it takes {heeded}."
            )


def sources_of(
    format: Format,
    source: Path,
    language: str,
    split: str,
    options: Options,
    ignored: Notes,
    stack: ExitStack,
) -> list[Source]:
    """Return the files of a corpus, train first; a single file is that of `split`.

    Those of an archive are unpacked into a folder that is gone when `stack` closes.
    """
    check_whole(source)
    root, shown, top = source, source, source
    if not source.exists():
        raise UserError(f"{source}: no such file or folder; fetch the corpus or mend the path.")
    if not (source.is_file() or source.is_dir()):
        raise UserError(f"{source}: neither a file nor a folder; give the corpus as one of them.")
    if source.is_file() and is_archive(source):
        if not format.members:
            raise UserError(f"{source}: an archive; unpack it and give its folder.")
        root = Path(stack.enter_context(TemporaryDirectory()))
        unpack(source, root, lambda name: format.members(name, language))
        if not any(root.iterdir()):
            raise UserError(
                f"{source}: no corpus file found; names must hold train or test, in a folder "
                f"{language!r}."
            )
        # An archive of one folder is that folder.
        top = next(root.iterdir()) if len(list(root.iterdir())) == 1 else root
    if root.is_dir():
        find = format.find or (lambda folder, *_: find_files(folder, ignored.add))
        try:
            files = find(root, language, options, ignored)
        except UserError as error:
            raise UserError(str(error).replace(str(root), str(shown))) from error
        for places in ignored.places.values():
            places[:] = [place.replace(str(root), str(shown)) for place in places]
    elif options.category is not None:
        raise UserError("--category: it picks a folder of the corpus; give the whole corpus.")
    else:
        files = {split: [source]}
    if not files:
        raise UserError(
            f"{source}: no corpus file found; names must hold train, dev, valid, testa or test."
        )
    sources = []
    for name in sorted(files, key=SPLITS.index):
        for path in files[name]:
            file = RawFile(path, options.encoding, str(shown / path.relative_to(root)))
            within = path.name if path == top else path.relative_to(top).as_posix()
            sources.append(Source(name, file, printable(within)))
    return sources
