"""Cache of finished build steps, addressed by everything that went into them."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["BuildCache", "cache_key"]

#: Bump when the files of a step change their meaning.
FORMAT = "2"


def cache_key(*parts: str | bytes) -> str:
    """Digest of the parts and of where one ends and the next begins."""
    hasher = hashlib.blake2b(FORMAT.encode(), digest_size=20)
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest()


class BuildCache:
    """Folders of files by key; the oldest go when there are too many. A cache that cannot be written caches nothing.

    Parameters
    ----------
    folder : Path or None
        Where; None turns the cache off.
    keep : int
        Entries to keep.
    """

    def __init__(self, folder: Path | None, *, keep: int = 40):
        self.folder, self.keep = folder, keep

    def fetch(self, key: str, names: list[str], target: Path) -> bool:
        """Copy the files of `key` into `target`; false when the entry is not there or not whole."""
        if self.folder is None:
            return False
        entry = self.folder / key
        if not all((entry / name).is_file() for name in names):
            return False
        try:
            for name in names:
                shutil.copyfile(entry / name, target / name)
            os.utime(entry)
        except OSError:
            return False
        return True

    def store(self, key: str, names: list[str], source: Path) -> None:
        """Add an entry, whole or not at all."""
        if self.folder is None or (self.folder / key).exists():
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
            try:
                for name in names:
                    shutil.copyfile(source / name, temporary / name)
                temporary.rename(self.folder / key)
            except OSError:
                shutil.rmtree(temporary, ignore_errors=True)
            self._prune()
        except OSError:
            return

    def _prune(self) -> None:
        entries = [path for path in self.folder.iterdir() if path.is_dir() and not path.name.startswith(".new-")]
        for path in sorted(entries, key=lambda path: path.stat().st_mtime)[: -self.keep]:
            shutil.rmtree(path, ignore_errors=True)
