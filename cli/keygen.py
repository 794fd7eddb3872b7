"""`tkms preprocess` and `tkms keygen`: what the parties make together before anything can be encrypted."""

from typing import Any

import click

from cli.lazy import TkmsCommand
from cli.session import Session, parse_request, with_session
from cli.waiting import until_decided

_PARAMETERS = click.option(
    "--parameters", help="production, production-64 or test [default: the network's]."
)
_READY = click.option(
    "--ready-timeout", type=float, default=14_400.0, show_default=True, help="Seconds to wait."
)


@click.command(
    cls=TkmsCommand, example="tkms preprocess --parameters production-64\ntkms preprocess --no-wait"
)
@_PARAMETERS
@_READY
@with_session(sends=True)
def preprocess(session: Session, parameters: str | None, ready_timeout: float) -> None:
    """Let the parties make the random bits and triples of one key (needs the generator role)."""
    chosen = parameters or session.network.parameters
    session.out.result(
        session.run(lambda chain: make_preprocessing(session, chain, chosen, ready_timeout))
    )


@click.command(
    cls=TkmsCommand,
    example="tkms keygen --parameters production-64\n"
    "tkms keygen --parameters test --crs-bits 64 --dealer\n"
    "tkms keygen --preprocessing 3f9a0c...",
)
@_PARAMETERS
@click.option("--crs-bits", type=int, default=2048, show_default=True, help="64 to 2048; 0: none.")
@click.option("--preprocessing", metavar="ID", help="Use this one instead of making one.")
@click.option("--dealer", is_flag=True, help="One core makes both and knows the key: insecure.")
@_READY
@with_session(sends=True)
def keygen(
    session: Session,
    parameters: str | None,
    crs_bits: int,
    preprocessing: str | None,
    dealer: bool,
    ready_timeout: float,
) -> None:
    """Make a key that no party ever has, and a reference string for its proofs (needs the generator role).

    The parties preprocess, generate the key and run the ceremony of the reference string; each part is a
    request of its own that goes on when this command is interrupted.
    """
    chosen = parameters or session.network.parameters

    async def work(chain: Any) -> dict[str, object]:
        if dealer:
            return await deal(session, chain, chosen, crs_bits, ready_timeout)
        return await generate(session, chain, chosen, crs_bits, ready_timeout, preprocessing)

    session.out.result(session.run(work))


async def make_preprocessing(
    session: Session, chain: Any, parameters: str, timeout_s: float
) -> dict[str, object]:
    """Request a preprocessing and wait for it."""
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    message = tx_pb2.Message(
        request_preprocessing=asc_pb2.RequestPreprocessing(parameters=parameters)
    )
    made = await request_and_wait(session, chain, message, timeout_s, "preprocessing")
    if made["id"] is None:
        return dict(made["sent"])
    return {
        "preprocessing_id": str(made["id"]),
        "parameters": parameters,
        "transaction": made["sent"]["transaction"],
    }


async def generate(
    session: Session,
    chain: Any,
    parameters: str,
    crs_bits: int,
    timeout_s: float,
    preprocessing: str | None = None,
) -> dict[str, object]:
    """Generate key and reference string together, of a given preprocessing or of one that is made first."""
    if parameters == "test":
        session.out.warn("parameters `test` are a toy: they protect nothing")
    document: dict[str, object] = {}
    if preprocessing is None:
        document = await make_preprocessing(session, chain, parameters, timeout_s)
        if "preprocessing_id" not in document:
            return document
        preprocessing = str(document["preprocessing_id"])
    made = await _key(session, chain, parameters, timeout_s, bytes(parse_request(preprocessing)))
    if "key_id" in made and crs_bits:
        made |= await _crs(session, chain, str(made["key_id"]), crs_bits, timeout_s, dealer=False)
    return {"preprocessing_id": preprocessing} | made


async def deal(
    session: Session, chain: Any, parameters: str, crs_bits: int, timeout_s: float
) -> dict[str, object]:
    """Let one core make key and reference string; said loudly."""
    if parameters == "test":
        session.out.warn("parameters `test` are a toy: they protect nothing")
    made = await _key(session, chain, parameters, timeout_s, None)
    if "key_id" not in made:
        return made
    session.out.warn("dealer: true - one core dealt this key and has seen it: insecure")
    if crs_bits:
        made |= await _crs(session, chain, str(made["key_id"]), crs_bits, timeout_s, dealer=True)
    return made


async def _key(
    session: Session, chain: Any, parameters: str, timeout_s: float, preprocessing: bytes | None
) -> dict[str, object]:
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    asked = asc_pb2.RequestKeyGeneration(
        parameters=parameters, preprocessing_id=preprocessing, dealer=preprocessing is None
    )
    message = tx_pb2.Message(request_key_generation=asked)
    made = await request_and_wait(session, chain, message, timeout_s, f"key ({parameters})")
    if made["id"] is None:
        return dict(made["sent"])
    record = await _record(chain, b"asc/key/" + bytes(made["id"]))
    return {
        "key_id": str(made["id"]),
        "parameters": record.parameters,
        "dealer": record.dealer,
        "epoch_id": record.epoch_id,
        "transaction": made["sent"]["transaction"],
        "digests": {entry.kind: entry.digest.hex() for entry in record.digests},
    }


async def _crs(
    session: Session, chain: Any, key_id: str, bits: int, timeout_s: float, *, dealer: bool
) -> dict[str, object]:
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    asked = asc_pb2.RequestCrsGeneration(
        key_id=bytes(parse_request(key_id)), max_bits=bits, dealer=dealer
    )
    message = tx_pb2.Message(request_crs_generation=asked)
    made = await request_and_wait(session, chain, message, timeout_s, "reference string")
    return {"crs_id": str(made["id"]), "crs_bits": bits}


async def request_and_wait(
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
            record = asc_pb2.MaterialRecord.FromString(proven.value)
            if record.status != asc_pb2.KEY_STATUS_PENDING:
                return record
        await asyncio.sleep(0.2)
