"""The vocabulary that all processes share: transactions, ids, reasons, signing, generated protobuf."""
