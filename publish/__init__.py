"""What leaves: releases, SOPs as text and files, the inventory, the state of a workspace."""

from index import CODE_VERSION as __version__

__all__ = ["__version__"]
