"""A user decryption with the SDK, step by step: user.py NETWORK KEY USER_KEY HANDLE...

Arguments as of public.py; USER_KEY is the secret of the account that may see the values. A program that
keeps the request id and the key pair can stop between any two steps and go on later.
"""

import asyncio
import json
import sys
from pathlib import Path

from client.chain import Chain
from client.decrypt import new_user_key
from client.errors import RejectedByChain, RequestExpired, RequestFailed
from client.requests import Requests, watch
from client.rpc import ChainRpc
from client.settings import read_secret_hex
from client.storage import StorageClient
from wire.signing import Secp256k1Signer


async def main(network: dict[str, str], keys: list[Path], handles: list[bytes]) -> None:
    """Submit, follow, combine; only the user's key pair opens the answers."""
    payer, user = (Secp256k1Signer(read_secret_hex(key)) for key in keys)
    root = bytes.fromhex(network["trusted_validators_hash"])
    async with ChainRpc(network["node"]) as rpc, StorageClient([network["storage"]]) as storage:
        chain = await Chain.connect(rpc, validators_hash=root, chain_id=network["chain_id"])
        requests = Requests(chain, storage, network["application"], payer)
        pair = new_user_key()
        try:
            sent = await requests.submit_user(handles, user, pair)
            await chain.wait(sent)
            async for event in watch(chain, sent.request_ids[0]):
                print(event, file=sys.stderr)
        except RejectedByChain as error:
            raise SystemExit(f"not allowed: {error}") from error
        except (RequestFailed, RequestExpired) as error:
            raise SystemExit(f"no answer, the escrow is back: {error}") from error
        revealed = await requests.user_result(sent.request_ids[0], pair)
        print(json.dumps({"values": revealed.values, "liars": revealed.liars}))


if __name__ == "__main__":
    asyncio.run(
        main(
            json.loads(Path(sys.argv[1]).read_text()),
            [Path(sys.argv[2]), Path(sys.argv[3])],
            [bytes.fromhex(handle.removeprefix("0x")) for handle in sys.argv[4:]],
        )
    )
