"""Values: encrypted, computed on, permitted, decrypted."""
