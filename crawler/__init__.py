"""Public discussion in: finds out what an address is, reads it politely, and hands batches to the spool."""
