"""Content-addressed storage of ciphertexts, answers and public material."""
