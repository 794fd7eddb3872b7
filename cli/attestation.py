"""`tkms attestation`: what a document says, and a root for machines without enclaves."""

from pathlib import Path

import click

from cli.errors import ConfigError
from cli.lazy import TkmsGroup, terminal

_IMAGE_FILE = "image"


@click.group(cls=TkmsGroup)
def attestation() -> None:
    """Look at attestation documents; make a development root."""


@attestation.command("show", example="tkms attestation show document.bin")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--measurement", help="Hexadecimal; register 0 must hold it.")
@click.option("--root", "roots", multiple=True, help="Fingerprint of a root [default: AWS Nitro].")
@click.pass_context
def show(context: click.Context, file: Path, measurement: str | None, roots: tuple[str]) -> None:
    """Show a document's claims; with --measurement verify it at the time that it names.

    The age is not judged here: who asks for a document judges it with a nonce of its own.
    """
    from core.isolation import attestation as verifier  # noqa: PLC0415 - only where used
    from core.isolation.document import parse  # noqa: PLC0415
    from core.isolation.errors import AttestationError  # noqa: PLC0415

    data = file.read_bytes()
    try:
        found = parse(data)
        if measurement is not None:
            trusted = frozenset(bytes.fromhex(root) for root in roots) or {verifier.AWS_NITRO_ROOT}
            policy = verifier.Policy(
                frozenset(trusted), {0: frozenset([bytes.fromhex(measurement)])}
            )
            verifier.verify(data, policy, verifier.Expected(), found.timestamp_ms)
    except (AttestationError, ValueError) as error:
        raise ConfigError(f"{file.name}: {error}", reason="ATTESTATION") from error
    terminal(context).result(
        {
            "module": found.module,
            "timestamp_ms": found.timestamp_ms,
            "verified": measurement is not None,
            "measurements": {str(n): m.hex() for n, m in found.registers.items() if any(m)},
            "public_key": found.public_key.hex(),
            "user_data": found.user_data.hex(),
            "nonce": found.nonce.hex(),
        }
    )


@attestation.command("development-root", example="tkms attestation development-root ./root")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def development_root(context: click.Context, folder: Path) -> None:
    """Make a root of your own for tests; it counts where a release.toml names its fingerprint."""
    import datetime as dt  # noqa: PLC0415 - only where used
    import secrets  # noqa: PLC0415

    from core.certificates import fingerprint  # noqa: PLC0415
    from core.isolation import development  # noqa: PLC0415

    if folder.exists() and any(folder.iterdir()):
        raise ConfigError(f"{folder} is not empty", reason="EXISTS")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    root = development.create(folder, dt.datetime.now(dt.UTC))
    image = secrets.token_bytes(32)
    (folder / _IMAGE_FILE).write_bytes(image)
    terminal(context).warn("development only: this root protects nothing")
    terminal(context).result(
        {
            "root": fingerprint(root.der).hex(),
            "measurement": development.registers_of(image)[0].hex(),
        }
    )
