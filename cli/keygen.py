"""`tkms keygen`: a key and its reference string."""

from typing import Any

import click

from cli.lazy import TkmsCommand
from cli.session import Session, with_session
from cli.waiting import until_decided


@click.command(cls=TkmsCommand, example="tkms keygen\ntkms keygen --parameters test --crs-bits 64")
@click.option("--parameters", help="production, production-64 or test [default: the network's].")
@click.option("--crs-bits", type=int, default=2048, show_default=True, help="64 to 2048; 0: none.")
@click.option("--ready-timeout", type=float, default=3600.0, help="Seconds until the key is there.")
@with_session(sends=True)
def keygen(session: Session, parameters: str | None, crs_bits: int, ready_timeout: float) -> None:
    """Request a key, then a reference string for its proofs (needs the generator role)."""
    chosen = parameters or session.network.parameters
    document = session.run(lambda chain: generate(session, chain, chosen, crs_bits, ready_timeout))
    session.out.result(document)


async def generate(
    session: Session, chain: Any, parameters: str, crs_bits: int, timeout_s: float
) -> dict[str, object]:
    """Generate both and return what is known of them; dealt keys are called so loudly."""
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    if parameters == "test":
        session.out.warn("parameters `test` are a toy: they protect nothing")
    message = tx_pb2.Message(
        request_key_generation=asc_pb2.RequestKeyGeneration(parameters=parameters)
    )
    made = await _request(session, chain, message, timeout_s, f"key ({parameters})")
    key_id = made["id"]
    if key_id is None:
        return dict(made["sent"])
    record = await _record(chain, b"asc/key/" + bytes(key_id))
    if record.dealer:
        session.out.warn("dealer: true - one core dealt this key and has seen it: insecure")
    document: dict[str, object] = {
        "key_id": str(key_id),
        "parameters": record.parameters,
        "dealer": record.dealer,
        "transaction": made["sent"]["transaction"],
        "digests": {entry.kind: entry.digest.hex() for entry in record.digests},
    }
    if crs_bits:
        message = tx_pb2.Message(
            request_crs_generation=asc_pb2.RequestCrsGeneration(
                key_id=bytes(key_id), max_bits=crs_bits
            )
        )
        crs = await _request(session, chain, message, timeout_s, "reference string")
        document |= {"crs_id": str(crs["id"]), "crs_bits": crs_bits}
    return document


async def _request(
    session: Session, chain: Any, message: Any, timeout_s: float, what: str
) -> dict[str, Any]:
    """Send and wait until it is fulfilled; the id is None when nothing was sent for real."""
    from wire.ids import RequestId  # noqa: PLC0415

    sent = await session.send(chain, [message], session.signer())
    if not sent.get("included"):
        return {"id": None, "sent": sent}
    request = RequestId.parse(sent["request_ids"][0])  # type: ignore[index] # one message, one id
    await until_decided(session.out, chain, request, timeout_s, what)
    return {"id": request, "sent": sent}


async def _record(chain: Any, key: bytes) -> Any:
    """Return a proven material record; a fulfilled request may be one block ahead of its proof."""
    import asyncio  # noqa: PLC0415

    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415

    while True:
        proven = await chain.proven_value(key)
        if proven.value is not None:
            return asc_pb2.MaterialRecord.FromString(proven.value)
        await asyncio.sleep(0.2)
