"""What every stage needs: manifest, workspace, lock, progress."""

from corpus.stage.manifest import Manifest, read_manifest, verify_parts

__all__ = ["Manifest", "read_manifest", "verify_parts"]
