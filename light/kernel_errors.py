"""Translation of kernel errors at the one place where the light client calls the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import tkms_kernel

from light.errors import Malformed, NotEnoughTrust, Unverified


@contextmanager
def translated() -> Iterator[None]:
    """Turn refusals of the kernel into errors of this package; defects pass through.

    Raises:
        Malformed: for ``tkms_kernel.InvalidInput``.
        NotEnoughTrust: for a skipping step with too few known signers.
        Unverified: for every other ``tkms_kernel.VerificationFailed``.

    """
    try:
        yield
    except tkms_kernel.InvalidInput as error:
        raise Malformed(str(error)) from error
    except tkms_kernel.VerificationFailed as error:
        text = str(error)
        kind = NotEnoughTrust if tkms_kernel.NOT_ENOUGH_TRUST in text else Unverified
        raise kind(text) from error
