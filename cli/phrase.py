"""Twenty-four words for 32 secret bytes (BIP-39), as custodians write them down."""

from cli.errors import ConfigError

WORDS = 24
_BITS = 11


def to_words(seed: bytes) -> str:
    """Return the phrase of 32 bytes."""
    from eth_account.hdaccount.mnemonic import Mnemonic  # noqa: PLC0415 - slow import

    return str(Mnemonic().to_mnemonic(seed))


def from_words(phrase: str) -> bytes:
    """Return the 32 bytes of a phrase.

    Raises:
        ConfigError: another number of words, an unknown word, or a wrong checksum.
    """
    from eth_account.hdaccount.mnemonic import Mnemonic  # noqa: PLC0415 - slow import

    book = Mnemonic()
    words = phrase.lower().split()
    if len(words) != WORDS or not book.is_mnemonic_valid(" ".join(words)):
        raise ConfigError(
            f"not a phrase of {WORDS} words", hint="each word counts, and their order"
        )
    number = 0
    for word in words:
        number = number << _BITS | book.wordlist.index(word)
    # 256 bits of seed and 8 of checksum, which was verified above.
    return (number >> 8).to_bytes(32, "big")
