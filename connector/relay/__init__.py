"""The gateway's relay: gRPC in front, a durable queue of transactions and a stream of events behind."""
