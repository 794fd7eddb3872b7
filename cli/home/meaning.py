"""What each setting of our own processes means: comments in the files, words of `tkms config show`.

A test holds every key of each process's own settings class against this table.
"""

HEADS = {
    "node": "Settings of `tkms node`, the ABCI application. Unknown keys are refused; "
    "`tkms config show node` lists those left at their default.",
    "core": "Settings of `tkms core`, the process that holds this operator's shares. Paths are "
    "relative to this folder. Unknown keys are refused.",
    "connector": "Settings of `tkms connector`, the link between chain and core. It holds no "
    "secret but the account that pays for answers.",
    "relay": "Settings of `tkms relay`, the gRPC service for gateways. Paths are relative to this folder. "
    "Unknown keys are refused.",
    "explorer": "Settings of `tkms explorer run`, the pages for readers. Paths are relative to this "
    "folder. Unknown keys are refused.",
}

NODE = {
    "chain_id": "The chain; a database or a genesis of another one is refused.",
    "proxy_socket": "Where the engine finds the application: the same as proxy_app in config.toml. "
    "At most 107 bytes.",
    "database": "LevelDB folder, relative to this one. One process at a time.",
    "log_format": "logfmt or json; lines go to standard error.",
    "log_level": "debug, info, warning or error.",
    "keep_versions": "Heights for which old values can still be read and proven. Connectors and "
    "cores that were away longer find no proofs here. More heights, more disk.",
    "halt_height": "The last block that this node executes; it then ends with exit code 0. 0 is none.",
    "assert_grammar": "true ends the node when the engine calls out of order. For debugging.",
    "record_calls": "File, relative to this folder, that gets a line for each call that makes "
    "blocks. It grows for ever. For debugging.",
    "developer_faults": "true lets faults.toml beside this file kill the node. For tests only.",
    "snapshot_interval": "Heights between two state-sync snapshots, from which a new node can join; "
    "0 takes none. All nodes of a chain should take the same heights.",
    "snapshot_keep": "Newest snapshots that stay on disk, in the folder snapshots.",
    "retain_blocks": "Blocks that the engine keeps at least; older ones go once no snapshot, evidence or "
    "cursor needs them. 0 keeps all.",
    "retain_cursors": "Files with the lowest height that a follower still reads. A missing one keeps "
    "every block.",
    "metrics_listen": "host:port of /metrics, /healthz and /readyz; without a host loopback, empty for "
    "none. There is no authentication: open it to your own machines only.",
    "commit_age_limit_seconds": "/healthz says no when the chain has not grown for so long.",
}

CORE = {
    "chain_id": "The chain that this core serves; nothing else is answered.",
    "party": "Our number in the epoch: 1 to n, and the point of our shares.",
    "peer_listen": "host:port on which the other cores reach us (mutual TLS).",
    "trusted_validators_hash": "Root of trust: the hash of the chain's first validator set, 64 "
    "hexadecimal digits. `tkms genesis install` computes it; compare it with the other operators.",
    "journal": "SQLite file of accepted and answered requests. Never copy an old one back.",
    "vault": "Folder of sealed shares. Never copy it: `tkms backup create` is the backup.",
    "backup": "Folder of the backup that custodians can open, kept up to date by the core. Put it on "
    "another disk, or mirror it.",
    "service_socket": "Unix socket for our own connector.",
    "peer_key": "Private key of the peer certificate, mode 600.",
    "peer_certificate": "Certificate that the epoch record names.",
    "signing_key": "Name in the vault of the key that signs answers.",
    "vault_keyfile": "Key that seals the vault, mode 600. Keep a copy apart from the vault.",
    "vault_passphrase_file": "Passphrase that seals the vault, instead of a key file.",
    "developer_mode": "true allows dealt keys and clear vaults. Never where secrets are real.",
    "trusting_period_s": "How old a verified header may be and still prove anything. Below the time "
    "in which a validator's old key could leak.",
    "storage_url": "Where ciphertexts and public material lie.",
    "storage_token_file": "Bearer token for publishing, mode 600.",
    "squash": "true lets a party alone (n = 1) squash ordinary ciphertexts (0.3-0.6 s a block and "
    "processor). Several parties round them together and need it not.",
    "service_listen": "host:port for a connector on another machine, instead of the socket. Only with "
    "connector_certificate.",
    "connector_certificate": "The one certificate that our connector shows (mutual TLS). Without it the "
    "socket's mode 600 is all that keeps others out.",
    "pool_blocks": "Prepared blocks for ordinary ciphertexts, 1.2 KB each on disk; 32 serve a value "
    "of 64 bits. More are made below a quarter. 0 prepares only what is asked for.",
    "cores": "Processes that share this party's requests behind a coordinator; one answers for one that ends.",
    "request_timeout_s": "A request that peers do not answer is given up after this.",
}

CONNECTOR = {
    "chain_id": "The chain.",
    "rpc_url": "RPC of our own node. It is not believed: everything is verified.",
    "core_socket": "Unix socket of our core.",
    "core_certificate": "The one certificate that our core shows (mutual TLS): that of the epoch record.",
    "tls_key": "Key of our own certificate, mode 600.",
    "tls_certificate": "Our own certificate: core.connector_certificate names a copy of it.",
    "core_address": "host:port of a core on another machine, instead of the socket. Only with mutual TLS.",
    "storage_url": "One address or several separated by spaces: reads try all, writes take the "
    "first.",
    "database": "SQLite file: cursor and work. It can be rebuilt from the chain.",
    "account_key": "File of mode 600 with the secret of the party's account, which pays fees.",
    "party": "Our number in the epoch.",
    "trusted_validators_hash": "Root of trust, as in core.toml.",
    "poll_seconds": "How often the node is asked for new blocks.",
    "storage_token_file": "Bearer token for publishing, mode 600.",
    "metrics_listen": "host:port of /metrics, /healthz and /readyz; without a host loopback, empty for "
    "none. There is no authentication: open it to your own machines only.",
    "commit_age_limit_seconds": "/healthz says no when the chain has not grown for so long.",
}

RELAY = {
    "chain_id": "The chain.",
    "rpc_url": "RPC of the node that is read and given transactions. Answers are handed out with proofs.",
    "trusted_validators_hash": "Root of trust, as in core.toml.",
    "payer_keys": "Files of mode 600 with the secrets of the accounts that pay, separated by spaces.",
    "listen": "host:port of the gRPC service, or unix:PATH; several separated by spaces.",
    "storage_url": "Where payloads of user decryptions lie; without it they are not put into results.",
    "database": "SQLite file: every accepted submission. Back it up; never two relays on one file.",
    "tls_certificate": "Certificate for every network address.",
    "tls_key": "Its key, mode 600.",
    "tls_client_authorities": "Authorities of client certificates: mutual TLS.",
    "token_file": "Bearer tokens and their quotas; without it everybody who reaches us may spend.",
    "reflection": "true tells callers the schema.",
    "metrics_listen": "host:port of /metrics, /healthz and /readyz; without a host loopback, empty for "
    "none. There is no authentication: open it to your own machines only.",
    "ttl_blocks": "Last height of transactions whose caller leaves it open, ahead of the newest.",
    "verdict_seconds": "How long Submit waits for the node's word where the caller does not say.",
    "max_in_flight": "Accepted transactions without a block, above which nothing more is accepted.",
    "balance_alarm_units": "Unwell when no paying account holds more than this.",
    "commit_age_limit_seconds": "Unwell when the node's height has not grown for so long.",
    "keep_blocks": "Heights whose events can be streamed again; 0 keeps all.",
    "drain_seconds": "How long SIGTERM waits for calls to end.",
    "poll_seconds": "How often the node is asked for new blocks.",
}

EXPLORER = {
    "listen": "host:port of pages and API; put a proxy with TLS in front of it where others reach it.",
    "node_rpc_url": "The one node that is read; its proofs are checked.",
    "trusted_validators_hash": "Root of trust, as in core.toml; without it the node's first answer is pinned.",
    "chain_id": "Refuse any other chain.",
    "witnesses": "Nodes of other operators that confirm every header, separated by spaces.",
    "index": "SQLite file; it can be made anew: tkms explorer rebuild.",
    "keep_blocks": "Blocks and transactions that are kept; 0 keeps all. Requests and keys are always kept.",
    "first_height": "Where an empty index begins.",
    "requests_per_second": "What one client may ask on the long run.",
    "burst": "What one client may ask at once.",
    "threads": "Threads that read the index.",
    "metrics_listen": "host:port of /metrics, /healthz and /readyz; without a host loopback, empty for "
    "none. There is no authentication: open it to your own machines only.",
}

MEANINGS = {
    "node": NODE,
    "core": CORE,
    "connector": CONNECTOR,
    "relay": RELAY,
    "explorer": EXPLORER,
}
