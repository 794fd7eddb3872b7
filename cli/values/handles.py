"""From plaintexts to handles and back: what encrypt, decrypt, reencrypt and the demo share."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cli.errors import CliError, ExitCode, UsageError
from cli.session import Session, parse_request
from cli.values.coprocessor import CoprocessorClient, Value
from cli.waiting import until_decided
from client import decrypt, encrypt
from client.chain import Chain
from client.errors import NoMaterial
from client.material import newest_material, newest_reference_string
from client.requests import public_message, registered, user_message
from client.storage import StorageClient
from wire.fhe import FheType
from wire.ids import Address, KeyId, RequestId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Signer


@dataclass(frozen=True, slots=True)
class Revealed:
    """Verified plaintexts of one request, with who gave them."""

    request: RequestId
    transaction: str
    handles: tuple[bytes, ...]
    types: tuple[FheType, ...]
    values: tuple[int, ...]
    parties: tuple[int, ...]
    liars: tuple[int, ...]

    def document(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "request": str(self.request),
            "transaction": self.transaction,
            "verified": True,
            "parties": list(self.parties),
            "liars": list(self.liars),
            "values": [
                {"handle": "0x" + handle.hex(), "type": fhe_type.label, "value": value}
                for handle, fhe_type, value in zip(
                    self.handles, self.types, self.values, strict=True
                )
            ],
        }


@asynccontextmanager
async def services(session: Session) -> AsyncIterator[tuple[CoprocessorClient, StorageClient]]:
    """Open coprocessor and storage of the network."""
    storage_urls = session.need("storage").split()
    async with (
        CoprocessorClient(session.need("coprocessor")) as coprocessor,
        StorageClient(storage_urls) as storage,
    ):
        yield coprocessor, storage


def parse_typed(type_name: str, text: str) -> tuple[FheType, int]:
    """Return a typed value; UsageError where it does not fit."""
    try:
        fhe_type = FheType.parse(type_name)
        words = {"true": 1, "false": 0}
        value = words[text.lower()] if text.lower() in words else int(text, 0)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not 0 <= value < 1 << fhe_type.bits:
        raise UsageError(
            f"{text} does not fit {fhe_type.label}", hint=f"0 to 2^{fhe_type.bits} - 1"
        )
    return fhe_type, value


async def choose_material(
    chain: Chain, key_id: str | None, crs_id: str | None
) -> tuple[KeyId, KeyId]:
    """Return the given ids, or the newest active key and its newest reference string."""
    try:
        if key_id is None:
            key, crs = await newest_material(chain)
        else:
            key = KeyId(bytes(parse_request(key_id)))
            crs = key if crs_id else await newest_reference_string(chain, key)
    except NoMaterial as error:
        reason = "NO_KEY" if "no active key" in str(error) else "NO_CRS"
        raise CliError(str(error), reason=reason, hint="tkms keygen makes both") from error
    return key, KeyId(bytes(parse_request(crs_id))) if crs_id else crs


async def encrypt_values(
    session: Session,
    chain: Chain,
    values: Sequence[tuple[FheType, int]],
    material: tuple[KeyId, KeyId],
    application: str,
    account: Address,
) -> list[Value]:
    """Fetch and re-hash key and string, encrypt, prove, hand in; returns handles in order."""
    key_id, crs_id = material
    async with services(session) as (coprocessor, storage):
        with session.out.progress() as progress:
            progress.step("fetch public key and reference string")
            key = await encrypt.encryption_key(chain, storage, key_id, crs_id)
            if key.key.dealer:
                session.out.warn(f"key {key_id}: dealer: true (dealt by one core: insecure)")
            if key.key.parameters == "test":
                session.out.warn(f"key {key_id}: parameters `test` protect nothing")
            progress.step("encrypt and prove")
            proven = await key.encrypt(values, application, account)
            progress.step("hand in")
            return await coprocessor.inputs(proven, application, key_id, crs_id, account)


async def decrypt_publicly(
    session: Session,
    chain: Chain,
    application: str,
    handles: Sequence[bytes],
    signer: Signer,
    timeout_s: float,
) -> Revealed | dict[str, object]:
    """Request, wait and verify; the plain document where nothing was sent for real."""
    ciphertexts = await _ciphertexts(chain, application, handles)
    sent = await session.send(chain, [public_message(application, ciphertexts)], signer)
    if not sent.get("included"):
        return sent
    request = _only_request(sent)
    await until_decided(session.out, chain, request, timeout_s, "parties answer")
    result = await decrypt.public_decryption(chain, request)
    return _revealed(request, sent, ciphertexts, result.values, result.signers, ())


async def reencrypt_to(
    session: Session,
    chain: Chain,
    application: str,
    handles: Sequence[bytes],
    user: Signer,
    sender: Signer,
    timeout_s: float,
) -> Revealed | dict[str, object]:
    """Make a key pair, authorize, request, wait, combine and verify."""
    ciphertexts = await _ciphertexts(chain, application, handles)
    pair = decrypt.new_user_key()
    message = await user_message(chain, application, ciphertexts, user, pair)
    sent = await session.send(chain, [message], sender)
    if not sent.get("included"):
        return sent
    request = _only_request(sent)
    await until_decided(session.out, chain, request, timeout_s, "parties answer")
    async with StorageClient(session.need("storage").split()) as storage:
        try:
            async with asyncio.timeout(timeout_s):
                result, combiner = await decrypt.user_decryption(chain, storage, request, pair)
        except TimeoutError as error:
            raise CliError(
                f"request {request} did not get enough good answers in {timeout_s:.0f} s",
                reason="TIMEOUT",
                exit_code=ExitCode.TIMEOUT,
                details={"request": str(request)},
            ) from error
    for party, why in combiner.rejected.items():
        session.out.warn(f"party {party}: {why}")
    return _revealed(request, sent, ciphertexts, result.values, result.parties, result.liars)


async def _ciphertexts(
    chain: Chain, application: str, handles: Sequence[bytes]
) -> list[isc_pb2.Ciphertext]:
    try:
        return await registered(chain, application, handles)
    except ValueError as error:
        raise UsageError(str(error), hint="one request, one key") from error


def _only_request(sent: dict[str, object]) -> RequestId:
    ids = sent["request_ids"]
    if not isinstance(ids, list) or len(ids) != 1:
        raise CliError("one request was expected in the transaction")
    return RequestId.parse(ids[0])


def _revealed(
    request: RequestId,
    sent: dict[str, object],
    ciphertexts: Sequence[isc_pb2.Ciphertext],
    values: tuple[int, ...],
    parties: tuple[int, ...],
    liars: tuple[int, ...],
) -> Revealed:
    return Revealed(
        request,
        str(sent["transaction"]),
        tuple(ciphertext.handle for ciphertext in ciphertexts),
        tuple(FheType(ciphertext.fhe_type) for ciphertext in ciphertexts),
        values,
        parties,
        liars,
    )
