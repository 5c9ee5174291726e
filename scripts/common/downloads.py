"""Downloads that say soon why they fail, and go on where they broke off."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub.constants
import huggingface_hub.errors
import requests
from tqdm import tqdm

from .errors import first_line
from .files import check_folder, naming, sha256

# Seconds without a byte after which a server is given up.
TIMEOUT = 8
BLOCK = 1 << 16
PART = ".part"
BROKE_OFF = "broke off in the middle; run again to go on"
# What arrived is kept in pieces of this size; the library's own would lose 10 MB.
huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE = BLOCK
REASONS = {
    401: "it asks for a login, or there is no such thing",
    403: "it asks for a login, or for its conditions to be accepted",
    404: "there is no such thing",
    429: "too many requests; wait some minutes",
}


class Unavailable(Exception):
    """Why something cannot be had. No OSError: libraries would try again, for a minute."""


def is_page(response: requests.Response) -> bool:
    return "text/html" in response.headers.get("Content-Type", "")


class ImpatientSession(requests.Session):
    """Tries each request once, and fails with the reason.

    To be lent to libraries: huggingface_hub alone tries five times, with pauses.
    """

    def __init__(self, begun: set[str]) -> None:
        super().__init__()
        self.begun = begun

    def request(self, method: str, url: str, **settings) -> requests.Response:
        settings["timeout"] = TIMEOUT
        host = url.split("/")[2]
        if huggingface_hub.constants.HF_HUB_OFFLINE and url.startswith(
            huggingface_hub.constants.ENDPOINT
        ):
            raise Unavailable("HF_HUB_OFFLINE is set")
        # A second time within a run means that the first broke off.
        if method.upper() == "GET" and "/resolve/" in url:
            if url in self.begun:
                raise Unavailable(f"{host} {BROKE_OFF}")
            self.begun.add(url)
        try:
            response = super().request(method, url, **settings)
        except requests.Timeout as error:
            raise Unavailable(f"{host} has not answered in {TIMEOUT} seconds") from error
        except requests.ConnectionError as error:
            if "timed out" in str(error):
                raise Unavailable(f"{host} has not answered in {TIMEOUT} seconds") from error
            raise Unavailable(f"no connection to {host}") from error
        status = response.status_code
        # A 404 can be a question for an optional file: what it means is for the library to say.
        if status in (401, 403, 429) or status >= 500:
            reason = REASONS.get(status, "the server has trouble; try later")
            raise Unavailable(f"{host} answers with status {status}: {reason}")
        if status == 200 and is_page(response):
            raise Unavailable(f"{host} answers with a web page; it may ask for a login")
        return response


@contextmanager
def impatient_hub() -> Iterator[None]:
    """Make huggingface_hub, and the libraries that use it, fail at once and with the reason."""
    begun: set[str] = set()
    huggingface_hub.configure_http_backend(lambda: ImpatientSession(begun))
    try:
        yield
    finally:
        huggingface_hub.configure_http_backend()


def reason_of(error: BaseException) -> str:
    """Return why something failed, in a line: what the session said, where libraries wrapped it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Unavailable):
            return str(cause)
        if isinstance(cause, requests.exceptions.ChunkedEncodingError):
            return f"the hub {BROKE_OFF}"
        answered = getattr(cause, "response", None) is not None
        if isinstance(cause, huggingface_hub.errors.HfHubHTTPError) and answered:
            status = cause.response.status_code
            return f"status {status}: {REASONS.get(status, cause.response.reason)}"
        cause = cause.__cause__ or cause.__context__
    return first_line(error)


def verify_hub_file(path: Path, etag: str) -> None:
    """Compare a file of the hub with its etag: the sha256 of large files, git's sha1 of others.

    Raises Unavailable, and deletes the file, where it is another.
    """
    if len(etag) == 64:
        digest = sha256(path)
    else:
        content = path.read_bytes()
        digest = hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest()
    if digest != etag:
        path.resolve().unlink()
        raise Unavailable(f"{path.name} came with other content than the hub announces")


def cached_etag(path: Path) -> str | None:
    """Return the etag of a file in the hub's cache, where it is a link to what is named by it; None
    on systems without symbolic links."""
    return path.resolve().name if path.is_symlink() else None


def hub_file(repository: str, kind: str, name: str, revision: str) -> Path:
    """Return a file of the hub in its cache, downloaded if need be and checked by its hash."""
    path = Path(
        huggingface_hub.hf_hub_download(repository, name, repo_type=kind, revision=revision)
    )
    etag = cached_etag(path)
    if etag is None:
        url = huggingface_hub.hf_hub_url(repository, name, repo_type=kind, revision=revision)
        etag = huggingface_hub.get_hf_file_metadata(url).etag
    verify_hub_file(path, etag)
    return path


def receive(response: requests.Response, part: Path, have: int, size: int | None) -> int | None:
    """Write an answer to `part`, after the first `have` bytes where the server goes on from there;
    return the size of the whole, where it is known. Raises Unavailable."""
    if not response.ok:
        reason = REASONS.get(response.status_code, response.reason)
        raise Unavailable(f"status {response.status_code}: {reason}")
    resumed = response.status_code == 206
    if "Content-Length" in response.headers:
        announced = int(response.headers["Content-Length"]) + have * resumed
        if size not in (None, announced):
            raise Unavailable(f"it has {announced:,} bytes where {size:,} are expected")
        size = announced
    name = part.name.removesuffix(PART)
    bar = tqdm(total=size, initial=have * resumed, desc=name, unit="B", unit_scale=True)
    with bar, naming(part), part.open("ab" if resumed else "wb") as target:
        try:
            for block in response.iter_content(BLOCK):
                target.write(block)
                bar.update(len(block))
        except requests.RequestException as error:
            of = f" of {size:,}" if size else ""
            raise Unavailable(
                f"it broke off after {target.tell():,}{of} bytes; run again to go on"
            ) from error
    return size


def download(url: str, path: Path, size: int | None, digest: str) -> None:
    """Download a file of this sha256, and of `size` bytes if that is known; `path` is there only
    when it is all right.

    What has arrived stays in `path`.part, and the next call goes on from there.
    Raises Unavailable, and UserError where a file stands in the way.
    """
    part = path.with_name(path.name + PART)
    check_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    if size is None or have < size:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with ImpatientSession(set()).get(url, headers=headers, stream=True) as response:
            # 416: all of it is there, and was cut off before it got its name.
            if not (have and response.status_code == 416):
                size = receive(response, part, have, size)
    if size not in (None, part.stat().st_size) or sha256(part) != digest:
        part.unlink()
        raise Unavailable("what came is another file: its size or sha256 is not the expected one")
    part.rename(path)
