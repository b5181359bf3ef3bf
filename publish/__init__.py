"""What leaves: releases, SOPs as text and files, the inventory, the state of a workspace."""

__version__ = "0.1.0"
