"""The table by which the node knows asc."""

from __future__ import annotations

from typing import Final

from asc import epochs, expiry, fulfilments, generations, progress, queries, requests
from ledger.module import Module

MODULE: Final = Module(
    name="asc",
    handlers={
        "request_preprocessing": generations.request_preprocessing,
        "request_key_generation": generations.request_key_generation,
        "request_crs_generation": generations.request_crs_generation,
        "abort_generation": generations.abort_generation,
        "request_refresh": epochs.request_refresh,
        "request_public_decryption": requests.request_public_decryption,
        "request_user_decryption": requests.request_user_decryption,
        "fulfil": fulfilments.fulfil,
        "report_failure": fulfilments.report_failure,
        "accuse": fulfilments.accuse,
        "report_progress": progress.report_progress,
    },
    begin_block=epochs.begin_block,
    end_block=expiry.end_block,
    derive=expiry.derive,
    queries={
        "/asc/request": queries.request,
        "/asc/list": queries.request_list,
        "/asc/log": queries.log,
        "/asc/material": queries.material,
        "/asc/audit": queries.audit,
        "/asc/evidence": queries.evidence,
        "/asc/progress": queries.progress,
        "/asc/epoch": queries.epoch,
    },
)
