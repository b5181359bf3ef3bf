"""What leaves: releases, SOPs as text and files, the inventory, the state of a workspace."""

import index

__version__ = index.CODE_VERSION
