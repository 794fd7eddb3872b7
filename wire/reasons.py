"""Why the chain refuses: stable numbers, one sentence and one hint each, never reused.

1xxx transaction and ledger, 2xxx config and roles, 3xxx isc, 4xxx asc, 5xxx evidence.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Reason(IntEnum):
    """Code of a refusal; also `ExecTxResult.code`."""

    sentence: str
    hint: str

    def __new__(cls, code: int, sentence: str, hint: str) -> Self:
        """Attach the texts to the number."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        member.hint = hint
        return member

    # 1xxx transaction and ledger
    DECODE = (
        1001,
        "The transaction bytes are not a canonical transaction.",
        "Build it with a current client.",
    )
    TOO_LARGE = (
        1002,
        "The transaction is larger than the chain allows.",
        "Send fewer messages a transaction.",
    )
    NO_MESSAGES = 1003, "The transaction carries no message.", "Add at least one message."
    TOO_MANY_MESSAGES = 1004, "The transaction carries too many messages.", "Split it."
    UNKNOWN_MESSAGE = (
        1005,
        "A message kind is not known to this chain.",
        "Check client and chain versions.",
    )
    FOREIGN_CHAIN = 1006, "The transaction names another chain.", "Check the chain id."
    EXPIRED = (
        1007,
        "The transaction's last height has passed.",
        "Build it again; nothing was executed.",
    )
    TTL_TOO_LONG = (
        1008,
        "The transaction's last height is too far ahead.",
        "Choose a nearer height.",
    )
    REPLAYED = 1009, "The transaction was included before.", "Look it up by its hash."
    UNSIGNED = 1010, "The transaction has no signature.", "Sign it."
    BAD_SIGNATURE = 1011, "The signature does not belong to the sender.", "Check key and chain id."
    UNKNOWN_SCHEME = 1012, "The signature scheme is not known.", "Use secp256k1 or ed25519."
    BAD_NONCE = 1013, "The nonce does not have 16 bytes.", "Use 16 random bytes."
    MAX_FEE_EXCEEDED = 1014, "The transaction costs more than its max_fee.", "Raise max_fee."
    INSUFFICIENT_FUNDS = (
        1015,
        "The account's balance is too small.",
        "Fund the account (see faucet).",
    )
    BAD_ADDRESS = 1016, "An address does not have 20 bytes.", "Check the address."
    BAD_AMOUNT = 1017, "The amount is zero or overflows.", "Use an amount above zero."
    FAUCET_OFF = 1018, "The faucet is switched off.", "Ask somebody for a transfer."
    FAUCET_LIMIT = (
        1019,
        "The faucet's limit is reached.",
        "Ask for less or wait for the next window.",
    )
    UNPRICED = 1020, "The chain has no price for this message.", "Ask an administrator to price it."
    INTERNAL = (
        1021,
        "The node met a bug while checking this transaction.",
        "Report it with the node's log.",
    )
    UNKNOWN_QUERY = (
        1022,
        "The query path or its data is not understood.",
        "See the list of queries.",
    )
    NOT_FOUND = 1023, "There is nothing under this id.", "Check the id."
    TOO_MUCH_GAS = (
        1024,
        "The transaction needs more gas than a block may use.",
        "Send fewer messages a transaction.",
    )
    RATE_LIMITED = (
        1025,
        "The account has used up what is free of fee in this block.",
        "Send the rest with the next block.",
    )
    BUSY = (
        1026,
        "The node holds as many waiting transactions as it wants to.",
        "Send the same bytes again in a moment.",
    )
    CLAIM_BELOW_FEE = (
        1030,
        "The faucet claim does not cover the transaction's fee.",
        "Claim more: the fee is taken out of the claim.",
    )
    # 2xxx config and roles
    MISSING_ROLE = (
        2001,
        "The sender does not hold the role that this needs.",
        "Ask an administrator.",
    )
    ACTIVATION_PAST = 2002, "The activation height is not in the future.", "Choose a later height."
    EPOCH_INVALID = (
        2003,
        "The party epoch is not conformant.",
        "n = 3t + 1 or n = 1; distinct valid keys.",
    )
    PRICES_INVALID = 2004, "The price table is not valid.", "Name each message kind at most once."
    PARAMETERS_INVALID = 2005, "The parameters are not valid.", "Check limits and their ranges."
    LAST_ADMIN = (
        2006,
        "The last administrator cannot be removed.",
        "Give the role to another first.",
    )
    CHANGE_INVALID = 2007, "The change is empty or not understood.", "Name exactly one change."
    UNKNOWN_PROPOSAL = 2008, "There is no such proposal.", "List proposals."
    PROPOSAL_CLOSED = (
        2009,
        "The proposal is closed.",
        "Look at the history; propose it again if it is still wanted.",
    )
    ALREADY_APPROVED = 2010, "The sender approved this proposal before.", "Nothing to do."
    NOT_APPROVED = (
        2011,
        "The sender has neither proposed nor approved this proposal.",
        "Only approvers and the proposer can withdraw.",
    )
    TOO_MANY_PROPOSALS = (
        2012,
        "The sender has too many open proposals.",
        "Withdraw one, or wait until one is decided or expires.",
    )
    OTHER_CHANGE = (
        2013,
        "The proposal is not the one that the approver named.",
        "Look at the proposal again before approving it.",
    )
    QUORUM_INVALID = (
        2014,
        "The role's quorum would be zero or above the number of its holders.",
        "Grant the role to more accounts or lower its quorum first.",
    )
    QUORUM_REQUIRED = (
        2015,
        "This needs the approval of several holders of the role.",
        "Make a proposal.",
    )
    VALIDATORS_INVALID = (
        2016,
        "The change of validators is not valid.",
        "Known validators leave, at least one stays, keys are ed25519 and named once.",
    )
    CONSENSUS_INVALID = (
        2017,
        "The engine's consensus parameters are not valid.",
        "Check the ranges and this chain's own limits.",
    )
    UPGRADE_INVALID = (
        2018,
        "The upgrade does not lead to the next version.",
        "Name the version that follows the one in force.",
    )
    GENESIS_ONLY = (
        2019,
        "This can be switched on by the genesis only.",
        "Start a new chain whose genesis allows it.",
    )
    KEY_REUSED = (
        2020,
        "A key or account is used in two places that must not share it.",
        "Make a separate key for each purpose.",
    )
    # 3xxx isc
    UNKNOWN_APPLICATION = 3001, "The application is not registered.", "Check its id."
    APPLICATION_EXISTS = 3002, "An application of this id exists.", "Choose another id."
    APPLICATION_INVALID = (
        3003,
        "The application's description is not valid.",
        "Check id, kind and domain.",
    )
    NOT_OWNER = (
        3004,
        "The sender is neither owner nor delegate of the application.",
        "Ask its owner.",
    )
    UNKNOWN_HANDLE = 3005, "The handle is not registered.", "Register its ciphertext first."
    HANDLE_TAKEN = 3006, "The handle names other bytes already.", "Handles are never reused."
    ACCESS_DENIED = 3007, "The application does not allow this decryption.", "Ask for a grant."
    DIGEST_MISMATCH = (
        3008,
        "The digest is not the registered one.",
        "Name the registered ciphertext.",
    )
    TYPE_MISMATCH = 3009, "The type is not the registered one.", "Name the registered type."
    FORMAT_MISMATCH = 3010, "The format is not the registered one.", "Name the registered format."
    SIZE_MISMATCH = 3011, "The size is not the registered one.", "Was the ciphertext truncated?"
    KEY_MISMATCH = 3012, "The ciphertext belongs to another key.", "Name the registered key."
    CIPHERTEXT_INVALID = (
        3013,
        "The ciphertext's description is not valid.",
        "Check lengths, type, format.",
    )
    DOMAIN_TAKEN = 3014, "Another application uses this EIP-712 domain.", "Choose another domain."
    # 4xxx asc
    UNKNOWN_KEY = 4001, "The key is not known.", "List keys."
    UNKNOWN_PARAMETERS = 4002, "The parameter set is not allowed.", "See Config's parameter sets."
    DEALING_OFF = (
        4003,
        "Dealt keys are not allowed on this chain.",
        "Only development chains deal keys.",
    )
    BAD_MAX_BITS = (
        4004,
        "The size of the reference string is not allowed.",
        "A power of two, 64 to 2048.",
    )
    NO_CIPHERTEXTS = 4005, "The request names no ciphertext.", "Name at least one."
    TOO_MANY_CIPHERTEXTS = 4006, "The request names too many ciphertexts.", "Split it."
    DUPLICATE_HANDLE = 4007, "The request names a handle twice.", "Name each handle once."
    REQUEST_TOO_LARGE = 4008, "The request's plaintexts or ciphertexts are too large.", "Split it."
    BAD_USER_KEY = (
        4009,
        "The user's public key is malformed.",
        "869 bytes: header and ML-KEM-512 key.",
    )
    USER_IS_CONTRACT = 4010, "The user's address is the verifying contract.", "Use an account."
    AUTHORIZATION_EXPIRED = 4011, "The user's authorization has expired.", "Sign a new one."
    UNKNOWN_REQUEST = 4012, "There is no such request.", "Check the id."
    NOT_PARTY = (
        4013,
        "The sender is not that party of the request's epoch.",
        "Use the party's account.",
    )
    KIND_MISMATCH = 4014, "The answer's kind is not the request's.", "Answer what was asked."
    # Not given any more: an answer that comes too late changes nothing and is no error.
    ALREADY_CLOSED = 4015, "The request takes no more answers.", "Nothing to do."
    BAD_RESULT = 4016, "The answer is not well-formed.", "Check sizes and encoding."
    RESULT_CONFLICT = 4017, "The party answered differently before.", "The first answer stands."
    BAD_ACCUSATION = (
        4018,
        "The accusation names nobody who can be accused.",
        "Name other parties once.",
    )
    KEY_PENDING = 4019, "The key is still being generated.", "Wait for its generation."
    KEY_SUSPENDED = 4020, "The key is suspended.", "Wait until it is resumed."
    KEY_REVOKED = 4021, "The key is revoked.", "Use another key; this one will not come back."
    KEY_DESTROYED = 4022, "The key is destroyed.", "Nothing under this key can be decrypted."
    KEY_STATE_INVALID = (
        4023,
        "The key's state does not allow this change.",
        "Look the key up; see the states of keys.",
    )
    UNKNOWN_PREPROCESSING = (
        4024,
        "The preprocessing is not known or not finished.",
        "Request one and wait for it.",
    )
    PREPROCESSING_CONSUMED = (
        4025,
        "The preprocessing was used by another key generation.",
        "Each one makes one key: request a new one.",
    )
    PREPROCESSING_MISMATCH = (
        4026,
        "The preprocessing is of other parameters or of an earlier epoch.",
        "Request one for these parameters.",
    )
    EPOCH_PENDING = (
        4027,
        "A change of epochs is under way.",
        "Wait until it is decided, then send it again.",
    )
    GENERATION_OPEN = (
        4028,
        "A key is being generated, which a change of epochs would leave behind.",
        "Wait for it or abort it.",
    )
    NOTHING_TO_REFRESH = 4029, "There is no key whose shares could move.", "Generate a key first."
    REQUEST_DECIDED = 4030, "The request is decided already.", "Nothing to do."
    BAD_PROGRESS = 4031, "The report of progress is not well-formed.", "Check phase and numbers."
    # 5xxx evidence
    BAD_USER_SIGNATURE = (
        5001,
        "The user did not sign this request.",
        "Sign exactly these handles and key.",
    )
    BAD_RESULT_SIGNATURE = (
        5002,
        "The party's verification key did not sign this.",
        "Check the party's key.",
    )


class Rejection(Exception):  # noqa: N818 - a verdict of the protocol, not a malfunction
    """Input that the chain refuses, with the one stable reason."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        """Keep the reason and words for people; `detail` never holds secrets."""
        super().__init__(f"{reason.name}: {detail}" if detail else reason.name)
        self.reason = reason
        self.detail = detail
