"""The user's side: signs which values may be re-encrypted to its key, and holds the key that opens them."""

from typing import Any

from client.decrypt import Application, new_user_key, user_request
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer


class User:
    """An account and a fresh key pair."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Take the account's secret and where its signatures are valid."""
        domain = settings["domain"]
        self._signer = Secp256k1Signer(bytes.fromhex(settings["user_secret"]))
        self._application = Application(
            settings["application"],
            isc_pb2.Domain(
                name=domain["name"],
                version=domain["version"],
                chain_id=domain["chainId"],
                verifying_contract=bytes.fromhex(domain["verifyingContract"][2:]),
            ),
            settings["chain_id"],
        )
        self.key = new_user_key()

    def request(self, ciphertext: isc_pb2.Ciphertext, height: int) -> asc_pb2.RequestUserDecryption:
        """Signed request for one value, good until a height."""
        return user_request(
            self._application, [ciphertext], self._signer, self.key.public_key, height
        )
