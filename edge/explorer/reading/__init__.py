"""How the index is read: one file a subject, each a few functions over one connection."""
