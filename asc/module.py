"""The table by which the node knows asc."""

from __future__ import annotations

from typing import Final

from asc import expiry, fulfilments, queries, requests
from ledger.module import Module

MODULE: Final = Module(
    name="asc",
    handlers={
        "request_key_generation": requests.request_key_generation,
        "request_crs_generation": requests.request_crs_generation,
        "request_public_decryption": requests.request_public_decryption,
        "request_user_decryption": requests.request_user_decryption,
        "fulfil": fulfilments.fulfil,
        "report_failure": fulfilments.report_failure,
        "accuse": fulfilments.accuse,
    },
    end_block=expiry.end_block,
    queries={
        "/asc/request": queries.request,
        "/asc/list": queries.request_list,
        "/asc/log": queries.log,
        "/asc/material": queries.material,
    },
)
