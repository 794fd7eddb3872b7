"""Inclusion proof contract: is what an application claims about its ciphertexts true?"""
