"""Coprocessor stand-in: computes on ciphertexts for one application, in place of an external coprocessor."""
