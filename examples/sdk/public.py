"""A public decryption with the SDK: public.py NETWORK KEY HANDLE...

NETWORK is localnet.json of a local network, or a file with the same names (node, storage, chain_id, application,
trusted_validators_hash); KEY is a file of mode 600 with the hexadecimal secret of the account that pays.
"""

import asyncio
import json
import sys
from pathlib import Path

from client.chain import Chain
from client.requests import Requests
from client.rpc import ChainRpc
from client.settings import read_secret_hex
from client.storage import StorageClient
from wire.signing import Secp256k1Signer


async def main(network: dict[str, str], key: Path, handles: list[bytes]) -> None:
    """Estimate, ask, show what happens, print what is verified."""
    payer = Secp256k1Signer(read_secret_hex(key))
    root = bytes.fromhex(network["trusted_validators_hash"])
    async with ChainRpc(network["node"]) as rpc, StorageClient([network["storage"]]) as storage:
        chain = await Chain.connect(rpc, validators_hash=root, chain_id=network["chain_id"])
        requests = Requests(chain, storage, network["application"], payer)
        cost = await requests.estimate_public(handles)
        print(f"fee {cost.fee}, price {cost.price}", file=sys.stderr)
        revealed = await requests.decrypt(
            handles, progress=lambda event: print(event, file=sys.stderr)
        )
        print(json.dumps({"values": revealed.values, "parties": revealed.parties}))


if __name__ == "__main__":
    asyncio.run(
        main(
            json.loads(Path(sys.argv[1]).read_text()),
            Path(sys.argv[2]),
            [bytes.fromhex(handle.removeprefix("0x")) for handle in sys.argv[3:]],
        )
    )
