"""A reader's page of the chain: own index, own light client, no secret and no trust."""
