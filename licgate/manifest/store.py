"""Saving a manifest: its hash, and two files written whole or not at all."""

import dataclasses
import hashlib

from licgate.manifest.document import document, manifest_digest, weights_bytes

__all__ = ["sealed"]


def sealed(manifest):
    """Return `manifest` with the hash that it has on disk."""
    weights_hash = hashlib.sha256(weights_bytes(manifest)).hexdigest()
    return dataclasses.replace(manifest, hash=manifest_digest(document(manifest, weights_hash)))
