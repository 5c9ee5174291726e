"""Downloads that fail within seconds, with the reason, and resume where they were interrupted.

What the libraries do instead (huggingface_hub 0.36, pooch 1.9):
- The hub client's timeouts (HF_HUB_DOWNLOAD_TIMEOUT, HF_HUB_ETAG_TIMEOUT) apply to one attempt; it makes
  six, with pauses: 23 s with timeouts of 3 s. Listing files has none. It replaces the reason ("we cannot
  find the requested files in the local cache") and compares no hash.
- pooch compares the sha256, but deletes what has arrived when a transfer fails: nothing to resume.

Nothing else in the project knows the client's HTTP library. huggingface_hub 1.0 replaces requests by
httpx, and `configure_http_backend` by `set_client_factory`: change ImpatientSession, impatient_hub,
HUB_ERRORS and reason_of.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
import huggingface_hub.errors
import requests
from huggingface_hub import constants
from huggingface_hub.utils.sha import git_hash
from tqdm import tqdm

from .errors import first_line
from .files import check_folder, naming, sha256

# Seconds without a byte after which a server is given up.
TIMEOUT = 8
BLOCK = 1 << 16
PART = ".part"
RESUME = "run again to resume"
# An interrupted download keeps whole blocks only, and the client's are of 10 MB.
constants.DOWNLOAD_CHUNK_SIZE = BLOCK
REASONS = {
    401: "it requires a login, or does not exist",
    403: "it requires a login, or its conditions to be accepted",
    404: "not found",
    429: "too many requests; try again in some minutes",
}


class Unavailable(Exception):
    """Why something cannot be downloaded. Not an OSError: libraries would retry, for a minute."""


# What the hub client raises when it does not get a file or an answer.
HUB_ERRORS = (
    Unavailable,
    huggingface_hub.errors.HfHubHTTPError,
    huggingface_hub.errors.HFValidationError,
    requests.RequestException,
)


class ImpatientSession(requests.Session):
    """Makes each request once, and raises Unavailable with the reason if it fails.

    begun: the addresses of the files that were requested so far; the same one again is a retry.
    """

    def __init__(self, begun: set[str]) -> None:
        super().__init__()
        self.begun = begun

    def request(self, method: str, url: str, **settings) -> requests.Response:
        settings["timeout"] = TIMEOUT
        host = url.split("/")[2]
        if constants.HF_HUB_OFFLINE and url.startswith(constants.ENDPOINT):
            raise Unavailable("HF_HUB_OFFLINE is set")
        if method.upper() == "GET" and "/resolve/" in url:
            if url in self.begun:
                raise Unavailable(f"the download from {host} was interrupted; {RESUME}")
            self.begun.add(url)
        try:
            response = super().request(method, url, **settings)
        except requests.Timeout as error:
            raise Unavailable(f"no answer from {host} in {TIMEOUT} seconds") from error
        except requests.ConnectionError as error:
            if "timed out" in str(error):
                raise Unavailable(f"no answer from {host} in {TIMEOUT} seconds") from error
            raise Unavailable(f"no connection to {host}") from error
        status = response.status_code
        # A 404 may be the answer for an optional file: what it means is up to the client.
        if status in (401, 403, 429) or status >= 500:
            reason = REASONS.get(status, "the server has a problem; try again later")
            raise Unavailable(f"{host} answered with status {status}: {reason}")
        if status == 200 and "text/html" in response.headers.get("Content-Type", ""):
            raise Unavailable(f"{host} answered with a web page; it may require a login")
        return response


@contextmanager
def impatient_hub() -> Iterator[None]:
    """Make the hub client, and the libraries that use it, fail at once and with the reason."""
    begun: set[str] = set()
    huggingface_hub.configure_http_backend(lambda: ImpatientSession(begun))
    try:
        yield
    finally:
        huggingface_hub.configure_http_backend()


def reason_of(error: BaseException) -> str:
    """Return why something failed, as one line: the session's reason, if libraries wrapped it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, Unavailable):
            return str(cause)
        if isinstance(cause, requests.exceptions.ChunkedEncodingError):
            return f"the download was interrupted; {RESUME}"
        answered = getattr(cause, "response", None) is not None
        if isinstance(cause, huggingface_hub.errors.HfHubHTTPError) and answered:
            status = cause.response.status_code
            return f"status {status}: {REASONS.get(status, cause.response.reason)}"
        cause = cause.__cause__ or cause.__context__
    return first_line(error)


def verify_hub_file(path: Path, etag: str) -> None:
    """Compare a file of the hub with its etag: the sha256 of large files, git's sha1 of others.

    Deletes the file and raises Unavailable if they differ.
    """
    if (sha256(path) if len(etag) == 64 else git_hash(path.read_bytes())) != etag:
        path.resolve().unlink()
        raise Unavailable(f"{path.name} differs from what the hub announced; run again")


def cached_etag(path: Path) -> str | None:
    """Return the etag of a file in the hub's cache, where it is a link to a file named by its etag;
    None on systems without symbolic links."""
    return path.resolve().name if path.is_symlink() else None


def hub_file(repository: str, kind: str, name: str, revision: str) -> Path:
    """Return a hub file's path in the cache, downloaded if necessary and verified by its hash.

    Raises HUB_ERRORS.
    """
    try:
        path = huggingface_hub.hf_hub_download(repository, name, repo_type=kind, revision=revision)
    except OSError as error:
        if isinstance(error, HUB_ERRORS) or error.errno is not None:
            raise
        # All the client says of a file that ended early.
        raise Unavailable(first_line(error)) from error
    path = Path(path)
    etag = cached_etag(path)
    if etag is None:
        url = huggingface_hub.hf_hub_url(repository, name, repo_type=kind, revision=revision)
        etag = huggingface_hub.get_hf_file_metadata(url).etag
    verify_hub_file(path, etag)
    return path


def receive(response: requests.Response, part: Path, have: int, size: int | None) -> int | None:
    """Write a response to `part`, after its first `have` bytes if the server resumes there.

    Returns the size of the complete file, if known. Raises Unavailable.
    """
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
    failure = None
    with bar, naming(part), part.open("ab" if resumed else "wb") as target:
        try:
            for block in response.iter_content(BLOCK):
                target.write(block)
                bar.update(len(block))
        except requests.RequestException as error:
            failure = error
        arrived = target.tell()
    if failure or arrived < (size or 0):
        of = f" of {size:,}" if size else ""
        raise Unavailable(f"interrupted after {arrived:,}{of} bytes; {RESUME}") from failure
    return size


def download(url: str, path: Path, size: int | None, digest: str) -> None:
    """Download a file with this sha256, of `size` bytes if known. `path` appears only once verified.

    What has arrived stays in `path`.part, where the next call resumes.
    Raises Unavailable, and UserError if a file is in the way of the folder.
    """
    part = path.with_name(path.name + PART)
    check_folder(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.exists() else 0
    if size is None or have < size:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with ImpatientSession(set()).get(url, headers=headers, stream=True) as response:
            # 416: all of it had arrived, but it was not renamed.
            if not (have and response.status_code == 416):
                size = receive(response, part, have, size)
    if size not in (None, part.stat().st_size) or sha256(part) != digest:
        part.unlink()
        raise Unavailable("another file arrived: its size or sha256 is not the expected one")
    part.rename(path)
