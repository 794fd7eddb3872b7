"""CometBFT's part of a home: its settings, its binary, its databases."""
