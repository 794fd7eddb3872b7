"""Carries requests from the chain to one core and its answers back; holds nothing worth stealing."""
