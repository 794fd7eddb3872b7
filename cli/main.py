"""Entry point of `tkms`: the table of commands, and how every run ends."""

import os
import sys
from collections.abc import Sequence

import click

from cli.errors import CliError, ExitCode, UsageError
from cli.lazy import LazyGroup
from cli.output import Terminal

SECTIONS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "Start here": (
        ("demo", "cli.demo:demo", "Start a network, encrypt, compute, decrypt, verify, stop."),
        ("localnet", "cli.localnet.commands:localnet", "Run a whole network on this machine."),
        (
            "status",
            "cli.status.commands:status",
            "Show every process and the chain; usable exit code.",
        ),
    ),
    "Operate a node": (
        (
            "init",
            "cli.operator.init:init",
            "Make the home of an operator: keys, commented settings.",
        ),
        (
            "genesis",
            "cli.operator.genesis:genesis",
            "Put a genesis together, check it, install it.",
        ),
        ("add", "cli.operator.add:add", "Add a relay or an explorer to a home."),
        ("start", "cli.operator.start:start", "Run node and engine of a home in the foreground."),
        ("stop", "cli.operator.start:stop", "Stop what `tkms start` runs, in order."),
        (
            "doctor",
            "cli.doctor.commands:doctor",
            "Look a home and its machine over, with remedies.",
        ),
        ("config", "cli.operator.config:config", "Show, change and check the settings of a home."),
        (
            "validator",
            "cli.governance.validator:validator",
            "Show a validator, its key, its votes; join, leave.",
        ),
        (
            "deploy",
            "cli.deploy.commands:deploy",
            "Write systemd units or a compose file for a home.",
        ),
        (
            "snapshot",
            "cli.maintenance.snapshot:snapshot",
            "List, take, verify, restore and delete snapshots.",
        ),
        (
            "rollback",
            "cli.maintenance.commands:rollback",
            "Take the last block back, in node and engine.",
        ),
        (
            "export",
            "cli.maintenance.commands:export",
            "Write the state as the genesis of a next chain.",
        ),
        (
            "prune",
            "cli.maintenance.commands:prune",
            "Make room: old snapshots, blocks, dead bytes.",
        ),
        (
            "attestation",
            "cli.attestation:attestation",
            "Look at attestation documents; make a development root.",
        ),
        (
            "backup",
            "cli.backup:backup",
            "Back a core up with custodians, verify, rehearse, restore.",
        ),
        ("vault", "cli.vault:vault", "Move a core's secrets to another seal."),
        ("custodian", "cli.custodian:custodian", "Be a custodian of an operator's backup."),
        ("version", "cli.version:version", "Show versions of everything that takes part."),
    ),
    "Accounts and transactions": (
        ("key", "cli.key:key", "Create, list, show, import, export and delete accounts."),
        ("faucet", "cli.faucet:faucet", "Draw units on networks whose faucet is on."),
        ("tx", "cli.tx:tx", "Send, sign offline, broadcast, wait for and show transactions."),
        ("application", "cli.application:application", "Register applications and delegates."),
        (
            "governance",
            "cli.governance.commands:governance",
            "Propose, approve and look up changes of the chain's configuration.",
        ),
    ),
    "Values": (
        ("preprocess", "cli.keygen:preprocess", "Let the parties make what one key takes."),
        ("keygen", "cli.keygen:keygen", "Make a key that nobody has, and its reference string."),
        ("fhe-key", "cli.fhe_key:fhe_key", "Show keys; suspend, resume, revoke, destroy them."),
        ("refresh", "cli.epoch:refresh", "Give the parties new shares of all keys."),
        ("epoch", "cli.epoch:epoch", "Show who holds the shares, and the change under way."),
        ("encrypt", "cli.values.encrypt:encrypt", "Encrypt values, prove them, get their handles."),
        (
            "compute",
            "cli.values.compute:compute",
            "Compute on handles with the coprocessor stand-in.",
        ),
        ("prepare", "cli.values.prepare:prepare", "Make ciphertexts ready to be decrypted."),
        ("grant", "cli.values.permission:grant", "Let an account see a value."),
        ("revoke", "cli.values.permission:revoke", "Take that permission away."),
        ("public", "cli.values.permission:public", "Let everybody see a value, or no longer."),
        ("decrypt", "cli.values.decrypt:decrypt", "Decrypt publicly and verify."),
        (
            "reencrypt",
            "cli.values.reencrypt:reencrypt",
            "Get values re-encrypted to yourself and verify.",
        ),
    ),
    "Look": (
        ("request", "cli.request:request", "Show, list and wait for requests."),
        (
            "query",
            "cli.query.commands:query",
            "Read blocks, accounts, configuration, keys, permissions.",
        ),
    ),
    "Processes": (
        ("node", "cli.processes:node", "Run the ABCI application."),
        ("engine", "cli.engine.commands:engine", "Run the engine (CometBFT) of a home."),
        ("core", "cli.processes:core", "Run the process that holds the shares."),
        ("connector", "cli.processes:connector", "Run the link between chain and core."),
        ("relay", "cli.processes:relay", "Run the gateway's gRPC relay."),
        ("release", "cli.processes:release", "Run the service that gives vaults their keys."),
        ("storage", "cli.processes:storage", "Run the store of ciphertexts and public material."),
        ("explorer", "cli.explorer:explorer", "Run the chain's page; make its index anew, prune."),
        ("coprocessor", "cli.processes:coprocessor", "Run the coprocessor stand-in."),
    ),
    "Shell": (("completion", "cli.completion:completion", "Print a completion script."),),
}


@click.group(
    name="tkms",
    cls=LazyGroup,
    sections=SECTIONS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\b\nExample:\n  tkms localnet up && tkms keygen --parameters test --dealer\n  tkms demo",
    invoke_without_command=False,
)
@click.version_option(package_name="tkms", message="%(package)s %(version)s")
def root() -> None:
    """A threshold key management chain for fully homomorphic encryption.

    Results go to stdout, everything else to stderr; `-o json` gives one object (JSON lines for
    streams). Every option can come from the environment: TKMS_NODE, TKMS_FROM, TKMS_OUTPUT, ...
    """


def wants_json(arguments: Sequence[str]) -> bool:
    """Return whether JSON was asked for, before click has read anything."""
    chosen = os.environ.get("TKMS_OUTPUT", "text")
    for index, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument in {"-o", "--output"} and index + 1 < len(arguments):
            chosen = arguments[index + 1]
        elif argument.startswith("--output="):
            chosen = argument.partition("=")[2]
        elif argument.startswith("-o") and argument[2:] in {"json", "text"}:
            chosen = argument[2:]
    return chosen == "json"


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    terminal = Terminal(as_json=wants_json(arguments))
    try:
        code = root.main(
            args=list(arguments), prog_name="tkms", standalone_mode=False, obj=terminal
        )
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "tkms"
        terminal.failure(UsageError(error.format_message(), hint=f"see `{where} --help`"))
        return int(ExitCode.USAGE)
    except (click.Abort, KeyboardInterrupt):
        terminal.failure(
            CliError("interrupted", reason="INTERRUPTED", exit_code=ExitCode.INTERRUPTED)
        )
        return int(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.FAILURE)
    except Exception as error:
        from cli.translate import translate  # noqa: PLC0415 - only on failure

        shown = translate(error)
        terminal.failure(shown)
        if os.environ.get("TKMS_TRACEBACK"):
            raise
        return int(shown.exit_code)
    return code if isinstance(code, int) else int(ExitCode.OK)


def main() -> None:
    """Run the process's command line."""
    sys.exit(run(sys.argv[1:]))
