"""Generated from `proto/` by `tools/generate_protobuf.py`; never edited."""
