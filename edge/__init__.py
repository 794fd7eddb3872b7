"""Untrusted processes: storage and the coprocessor stand-in. Nothing here holds decryption secrets."""
