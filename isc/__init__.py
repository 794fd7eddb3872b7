"""Inclusion proof contract: decides whether an application's claim is true."""
