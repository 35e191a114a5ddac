"""`keras.utils.get_file`: a file from the web, kept on disk.

Owns: where such files lie, hashes, downloads and archives. A file takes its place only when it is complete and has the
right hash, so that what lies there can be used without a network. Does not know what the files mean.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import sys
import tarfile
import urllib.parse
import urllib.request
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from client.api import public
from client.keras.progress import Progbar

_CHUNK: Final = 1 << 20
_TIMEOUT: Final = 30.0  # seconds without a byte


@public("keras.utils.get_file")
def get_file(
    fname: Any = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: Any = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | Sequence[str] | None = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """Where a file lies on disk, after it has been downloaded if it was not there.

    Args:
        fname: what to call the file; None: the last part of `origin`.
        origin: its URL: http, https or file.
        untar: extract a tar archive.
        md5_hash: its MD5 hash, if there is no `file_hash`.
        file_hash: the hash that the file must have; a file on disk with another one is downloaded again.
        cache_subdir: the folder below `cache_dir`, or an absolute one.
        hash_algorithm: `sha256`, `md5`, or `auto` to tell by the hash's length.
        extract: extract an archive, next to the file. Members that would lie outside of that folder are refused.
        archive_format: `tar` (compressed or not), `zip`, a list of them, or `auto` for both; None: no archive.
        cache_dir: where to keep files; None: the environment's `KERAS_HOME`, or `~/.keras`.
        force_download: download it even if it is there.

    Returns:
        The path of the file, or with `extract` that of the folder.

    Raises:
        ValueError: no `origin`, a path as `fname`, a downloaded file of another hash, an unsafe archive.
        OSError: the file can't be downloaded, and the text says where to put it by hand; or the folder can't be made.

    >>> import client as tf, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "data.txt").write_text("1 2 3")
    >>> path = tf.keras.utils.get_file("data.txt", "https://example.com/data.txt", cache_subdir=folder)
    >>> pathlib.Path(path).read_text()
    '1 2 3'
    """
    if origin is None:
        raise ValueError('Please specify the "origin" argument (URL of the file to download).')
    if md5_hash is not None and file_hash is None:
        file_hash, hash_algorithm = md5_hash, "md5"
    name = _file_name(fname, origin)
    folder = _folder(cache_dir, cache_subdir)
    if not (extract or untar):
        return str(obtain(folder / name, origin, file_hash, hash_algorithm, force_download))
    if fname and "." in name:
        archive, place = folder / name, folder / f"{name.partition('.')[0]}_extracted"
    else:
        archive, place = folder / f"{name}_archive", folder / name
    obtain(archive, origin, file_hash, hash_algorithm, force_download)
    if not _extract(archive, place, "tar" if untar else archive_format):
        warnings.warn("Could not extract archive.", stacklevel=2)
    return str(place)


def obtain(path: Path, origin: str, file_hash: str | None, algorithm: str = "auto", force: bool = False) -> Path:
    """The file at `path`, from `origin` if it is not there or has another hash."""
    algorithm = _algorithm(algorithm, file_hash)
    if path.exists() and not force:
        if file_hash is None or _hash(path, algorithm) == file_hash.lower():
            return path
        _say(
            f"A local file was found, but it seems to be incomplete or outdated because the {algorithm} file hash does "
            f"not match the original value of {file_hash} so we will re-download the data."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    _say(f"Downloading data from {origin}")
    try:
        _download(origin, part, path)
        if file_hash is not None and _hash(part, algorithm) != file_hash.lower():
            raise ValueError(
                f"Incomplete or corrupted file detected. The {algorithm} file hash does not match the provided value "
                f"of {file_hash}."
            )
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


# --- names and places ------------------------------------------------------------------------------------------------


def _file_name(fname: Any, origin: str) -> str:
    if not fname:
        name = os.path.basename(urllib.parse.unquote(urllib.parse.urlsplit(origin).path))
        if name in ("", ".", ".."):
            raise ValueError(
                f"Can't parse the file name from the origin provided: '{origin}'. Please specify the `fname` argument."
            )
        return name
    name = os.fspath(fname)
    if os.sep in name or "/" in name or name in (".", ".."):
        raise ValueError(
            "Paths are no longer accepted as the `fname` argument. To specify the file's parent directory, use the "
            f"`cache_dir` argument. Received: fname={name}"
        )
    return name


def _folder(cache_dir: Any, cache_subdir: Any) -> Path:
    """The cache's folder, made if need be."""
    folder = Path(cache_dir or os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / cache_subdir
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{error}; the environment's KERAS_HOME, or `cache_dir`, can name another folder") from error
    return folder


def _algorithm(wanted: str, file_hash: str | None) -> str:
    if wanted == "auto":
        return "sha256" if file_hash is not None and len(file_hash) == 64 else "md5"
    if wanted not in ("sha256", "md5"):
        raise ValueError(f"`hash_algorithm` must be 'sha256', 'md5' or 'auto'. Received: {wanted!r}")
    return wanted


def _hash(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


# --- downloads -------------------------------------------------------------------------------------------------------


def _download(origin: str, part: Path, path: Path) -> None:
    """Write what is at `origin` to `part`. Raises OSError, with `path` as the place for a file got in another way."""
    import httpx

    try:
        with part.open("xb") as file:
            if urllib.parse.urlsplit(origin).scheme == "file":
                with open(urllib.request.url2pathname(urllib.parse.urlsplit(origin).path), "rb") as source:
                    shutil.copyfileobj(source, file)
                return
            for chunk in _received(origin):
                file.write(chunk)
    except httpx.HTTPStatusError as error:
        reason = f"{error.response.status_code} {error.response.reason_phrase}"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
    except FileNotFoundError as error:
        reason = str(error)
    else:
        return
    raise OSError(f"URL fetch failure on {origin}: {reason}. To go on without it, put the file at {path}")


def _received(origin: str) -> Iterator[bytes]:
    """The bytes at a URL, as they are kept there, and a progress bar."""
    import httpx

    headers = {"Accept-Encoding": "identity"}  # the hash is that of the file, whatever the transfer does
    with httpx.stream("GET", origin, headers=headers, follow_redirects=True, timeout=_TIMEOUT) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        bar, received = Progbar(int(length) if length.isdigit() else None, unit_name="byte"), 0
        for chunk in response.iter_raw(_CHUNK):
            received += len(chunk)
            bar.update(received, finalize=False)
            yield chunk
        bar.update(received, finalize=True)


# --- archives --------------------------------------------------------------------------------------------------------


def _extract(archive: Path, place: Path, formats: str | Sequence[str] | None) -> bool:
    """Extract an archive of one of these formats; whether it was one."""
    if formats is None:
        return False
    for kind in ("tar", "zip") if formats == "auto" else [formats] if isinstance(formats, str) else formats:
        if kind not in ("tar", "zip"):
            raise NotImplementedError(f"archives of the format {kind!r}; there are 'tar' and 'zip'")
        if kind == "tar" and tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tar:
                try:
                    tar.extractall(place, filter="data")
                except tarfile.FilterError as error:
                    raise ValueError(f"{archive} is not safe to extract: {error}") from error
            return True
        if kind == "zip" and zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as found:
                for member in found.namelist():
                    if not (place / member).resolve().is_relative_to(place.resolve()):
                        raise ValueError(f"{archive} is not safe to extract: {member!r} would lie outside of {place}")
                found.extractall(place)
            return True
    return False
