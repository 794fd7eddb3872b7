"""What lets a core prove where it runs, and get the key of its vault only there."""
