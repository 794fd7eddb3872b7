"""Application contract: the life of a request from payment to answer, and the keys it makes."""
