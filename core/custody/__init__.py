"""Backup of an operator's secrets with custodians: no single custodian, disk or machine gives them away."""
